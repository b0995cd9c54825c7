/* SQLite: a shop's database in memory: rows inserted, indexed, joined, grouped, searched, changed and deleted. */
#include "sqlite3.h"
#include "program.h"

enum { CUSTOMERS = 1500, ITEMS = 400, SALES = 16000 };

static sqlite3 *db;
static uint64_t digest = HASH_START;

static void execute(const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail(sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(const char *sql) {
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail(sqlite3_errmsg(db));
    return statement;
}

/* Steps to the end, folding the text of every column into the digest. */
static void drain(sqlite3_stmt *statement) {
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const unsigned char *text = sqlite3_column_text(statement, i);
            digest = text ? hash(digest, text, (size_t)sqlite3_column_bytes(statement, i)) : hash(digest, "NULL", 4);
        }
    if (code != SQLITE_DONE) fail(sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

static void query(const char *sql) {
    sqlite3_stmt *statement = prepare(sql);
    drain(statement);
    sqlite3_finalize(statement);
}

static void fill(uint32_t *seed) {
    static const char *const words[] = {"amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath",
                                        "inlet", "jetty", "knoll", "larch", "marsh", "north", "ocean", "plain"};
    execute("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, town TEXT);"
            "CREATE TABLE item(id INTEGER PRIMARY KEY, title TEXT UNIQUE, price REAL, stock INTEGER);"
            "CREATE TABLE sale(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer(id),"
            " item INTEGER REFERENCES item(id), day INTEGER, amount INTEGER, note TEXT);"
            "CREATE INDEX sale_customer ON sale(customer, day); BEGIN");
    sqlite3_stmt *insert = prepare("INSERT INTO customer(name, town) VALUES(?, ?)");
    char text[96];
    for (int i = 0; i < CUSTOMERS; i++) {
        snprintf(text, sizeof text, "%s %s %d", words[next_random(seed) % 16], words[next_random(seed) % 16], i);
        sqlite3_bind_text(insert, 1, text, -1, SQLITE_TRANSIENT);
        sqlite3_bind_text(insert, 2, words[next_random(seed) % 16], -1, SQLITE_STATIC);
        drain(insert);
    }
    sqlite3_finalize(insert);
    insert = prepare("INSERT INTO item(title, price, stock) VALUES(?, ?, ?)");
    for (int i = 0; i < ITEMS; i++) {
        snprintf(text, sizeof text, "%s-%s/%d", words[next_random(seed) % 16], words[next_random(seed) % 16], i);
        sqlite3_bind_text(insert, 1, text, -1, SQLITE_TRANSIENT);
        sqlite3_bind_double(insert, 2, (double)(next_random(seed) % 10000) / 64.0);
        sqlite3_bind_int(insert, 3, (int)(next_random(seed) % 5000));
        drain(insert);
    }
    sqlite3_finalize(insert);
    insert = prepare("INSERT INTO sale(customer, item, day, amount, note) VALUES(?, ?, ?, ?, ?)");
    for (int i = 0; i < SALES; i++) {
        uint32_t word = next_random(seed);
        snprintf(text, sizeof text, "%s by the %s, number %d", words[word % 16], words[word >> 8 & 15], i);
        sqlite3_bind_int(insert, 1, 1 + (int)(next_random(seed) % CUSTOMERS));
        sqlite3_bind_int(insert, 2, 1 + (int)(next_random(seed) % ITEMS * (next_random(seed) % ITEMS) / ITEMS));
        sqlite3_bind_int(insert, 3, (int)(next_random(seed) % 365));
        sqlite3_bind_int(insert, 4, 1 + (int)(next_random(seed) % 9));
        sqlite3_bind_text(insert, 5, text, -1, SQLITE_TRANSIENT);
        drain(insert);
    }
    sqlite3_finalize(insert);
    execute("COMMIT; CREATE INDEX sale_item ON sale(item); ANALYZE");
}

static void read(uint32_t *seed) {
    query("SELECT town, count(*), sum(amount), round(sum(amount * price), 2) FROM sale"
          " JOIN customer ON customer.id = sale.customer JOIN item ON item.id = sale.item"
          " GROUP BY town ORDER BY 3 DESC, 1");
    query("SELECT day / 30, title, sum(amount) AS pieces FROM sale JOIN item ON item.id = sale.item"
          " GROUP BY 1, 2 HAVING pieces > 25 ORDER BY 1, 3 DESC, 2");
    query("SELECT a.customer, b.item, count(*) FROM sale a JOIN sale b ON a.customer = b.customer"
          " AND b.day BETWEEN a.day + 1 AND a.day + 5 GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 50");
    query("SELECT name, day, amount, sum(amount) OVER (PARTITION BY customer ORDER BY day, sale.id) FROM sale"
          " JOIN customer ON customer.id = sale.customer WHERE customer.id % 7 = 0 ORDER BY customer.id, day, sale.id");
    query("SELECT upper(substr(note, 1, 9)), instr(note, 'by'), length(note) FROM sale"
          " WHERE note LIKE '%fjord%7%' ORDER BY note");
    query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)"
          " SELECT sum(i * i % 97), group_concat(CASE WHEN i % 5000 = 0 THEN printf('%05d', i) END) FROM n");
    sqlite3_stmt *find = prepare("SELECT name, count(*), max(day), total(amount) FROM customer"
                                 " JOIN sale ON sale.customer = customer.id WHERE customer.id = ?");
    for (int i = 0; i < 6000; i++) {
        sqlite3_bind_int(find, 1, 1 + (int)(next_random(seed) % CUSTOMERS));
        drain(find);
    }
    sqlite3_finalize(find);
}

static void change(uint32_t *seed) {
    execute("BEGIN");
    sqlite3_stmt *update = prepare("UPDATE item SET stock = stock - ?, price = price * 1.0625 WHERE id = ?");
    for (int i = 0; i < 8000; i++) {
        sqlite3_bind_int(update, 1, (int)(next_random(seed) % 5));
        sqlite3_bind_int(update, 2, 1 + (int)(next_random(seed) % ITEMS));
        drain(update);
    }
    sqlite3_finalize(update);
    execute("UPDATE sale SET note = replace(note, 'by the', 'near') WHERE day < 100;"
            "DELETE FROM sale WHERE day % 5 = 2; COMMIT");
    query("SELECT count(*), sum(amount), min(note), max(note) FROM sale");
    query("SELECT sum(stock), round(max(price), 3) FROM item");
    query("PRAGMA integrity_check");
}

int main(int argc, char **argv) {
    uint32_t seed = 20000;
    for (int i = repeat_count(argc, argv, 4); i > 0; i--) {
        if (sqlite3_open(":memory:", &db) != SQLITE_OK) fail("opening");
        fill(&seed);
        read(&seed);
        change(&seed);
        sqlite3_close(db);
    }
    return report("sqlite", sqlite3_libversion(), digest);
}
