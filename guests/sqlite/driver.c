/* Exercises SQLite: a database file with indexes, transactions, triggers, JSON, text search and window functions.
 *
 *     sqlite FILE
 *
 * FILE is created anew. Prints the rows of every query and, at the end, a checksum of the database file itself. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "sqlite3.h"

/* FNV-1a. */
static uint64_t hash(uint64_t h, const void *data, size_t length) {
    for (const unsigned char *p = data; length > 0; length--) h = (h ^ *p++) * 1099511628211u;
    return h;
}

static void fail(sqlite3 *db, const char *sql) {
    printf("failed: %s\n  in: %s\n", sqlite3_errmsg(db), sql);
    exit(1);
}

static void execute(sqlite3 *db, const char *sql) {
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) fail(db, sql);
}

static int print_row(void *unused, int columns, char **values, char **names) {
    (void)unused, (void)names;
    for (int i = 0; i < columns; i++) printf("%s%s", i ? "|" : "  ", values[i] ? values[i] : "NULL");
    printf("\n");
    return 0;
}

static void query(sqlite3 *db, const char *sql) {
    printf("%s\n", sql);
    if (sqlite3_exec(db, sql, print_row, NULL, NULL) != SQLITE_OK) fail(db, sql);
}

static uint32_t next_random(uint32_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    return *state ^= *state << 5;
}

static void fill(sqlite3 *db, int rows) {
    static const char *const words[] = {"amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "heath"};
    const char *sql = "INSERT INTO item(name, kind, price, note) VALUES(?, ?, ?, ?)";
    sqlite3_stmt *insert;
    if (sqlite3_prepare_v2(db, sql, -1, &insert, NULL) != SQLITE_OK) fail(db, sql);
    uint32_t seed = 20000;
    execute(db, "BEGIN");
    for (int i = 0; i < rows; i++) {
        char name[40], note[80];
        const char *word = words[next_random(&seed) % 8], *what = words[next_random(&seed) % 8];
        const char *where = words[next_random(&seed) % 8];
        snprintf(name, sizeof name, "%s-%u", word, (unsigned)(next_random(&seed) % 5000));
        snprintf(note, sizeof note, "%s by the %s, number %d", what, where, i);
        sqlite3_bind_text(insert, 1, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int(insert, 2, (int)(next_random(&seed) % 7));
        sqlite3_bind_double(insert, 3, (double)(next_random(&seed) % 100000) / 100.0);
        sqlite3_bind_text(insert, 4, note, -1, SQLITE_TRANSIENT);
        if (sqlite3_step(insert) != SQLITE_DONE) fail(db, sql);
        sqlite3_reset(insert);
    }
    execute(db, "COMMIT");
    sqlite3_finalize(insert);
}

static sqlite3 *open_database(const char *path) {
    sqlite3 *db;
    if (sqlite3_open(path, &db) != SQLITE_OK) fail(db, path);
    return db;
}

static void work(sqlite3 *db) {
    execute(db, "CREATE TABLE kind(id INTEGER PRIMARY KEY, title TEXT NOT NULL);"
                "INSERT INTO kind VALUES(0,'wood'),(1,'stone'),(2,'glass'),(3,'iron'),(4,'wool'),(5,'clay'),(6,'reed');"
                "CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, kind INTEGER REFERENCES kind(id),"
                " price REAL, note TEXT);"
                "CREATE TABLE log(id INTEGER PRIMARY KEY, what TEXT);"
                "CREATE TRIGGER deleted AFTER DELETE ON item WHEN old.id % 100 = 0 BEGIN"
                " INSERT INTO log(what) VALUES('deleted ' || old.name); END;");
    fill(db, 6000);
    execute(db, "CREATE INDEX item_name ON item(name); CREATE INDEX item_kind ON item(kind, price);");
    query(db, "SELECT count(*), sum(price), min(name), max(name) FROM item");
    query(db, "SELECT title, count(*), round(avg(price), 4), max(price) FROM item JOIN kind ON kind.id = item.kind"
              " GROUP BY kind ORDER BY title");
    query(db, "SELECT a.name, count(*) FROM item a JOIN item b USING(name) WHERE a.id < b.id"
              " GROUP BY a.name HAVING count(*) > 2 ORDER BY 2 DESC, 1 LIMIT 5");
    query(db, "SELECT name, price, rank() OVER (PARTITION BY kind ORDER BY price DESC) AS place FROM item"
              " WHERE kind < 3 ORDER BY place, kind LIMIT 6");
    query(db, "WITH RECURSIVE fibonacci(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM fibonacci"
              " WHERE n < 90) SELECT n, a FROM fibonacci WHERE n % 30 = 0");
    query(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
              " SELECT sum(i * i % 97), group_concat(CASE WHEN i % 4000 = 0 THEN printf('%05d', i) END) FROM n");
    query(db, "SELECT json_group_array(json_object('t', title, 'n', length(title))) FROM kind");
    query(db, "SELECT value ->> 'k' FROM json_each('[{\"k\":1.5},{\"k\":\"two\"},{\"k\":null}]')");
    query(db, "SELECT upper(substr(note, 1, 12)), instr(note, 'by'), hex(name) FROM item WHERE note LIKE '%fjord%'"
              " ORDER BY id LIMIT 3");
    execute(db, "BEGIN; DELETE FROM item WHERE kind = 4; ROLLBACK;");
    query(db, "SELECT count(*) FROM item WHERE kind = 4");
    execute(db, "DELETE FROM item WHERE kind = 4; UPDATE item SET price = price * 1.19 WHERE kind = 5;");
    query(db, "SELECT count(*), total(price) FROM item");
    query(db, "SELECT count(*), min(what), max(what) FROM log");
    execute(db, "CREATE VIRTUAL TABLE search USING fts5(note);"
                "INSERT INTO search(rowid, note) SELECT id, note FROM item;");
    query(db, "SELECT count(*) FROM search WHERE search MATCH 'birch AND heath'");
    query(db, "SELECT rowid, highlight(search, 0, '[', ']') FROM search WHERE search MATCH 'amber AND 99*'"
              " UNION ALL SELECT rowid, note FROM search WHERE search MATCH '\"cedar by the grove\"' LIMIT 3");
    query(db, "EXPLAIN QUERY PLAN SELECT * FROM item WHERE name = 'amber-17' AND kind = 2");
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: sqlite FILE\n", stderr);
        return 2;
    }
    printf("SQLite %s\n", sqlite3_libversion());
    unlink(argv[1]);
    sqlite3 *db = open_database(argv[1]);
    work(db);
    if (sqlite3_exec(db, "INSERT INTO kind VALUES(3, 'again')", NULL, NULL, NULL) == SQLITE_OK) return 1;
    printf("refused: %s\n", sqlite3_errmsg(db));
    execute(db, "VACUUM");
    sqlite3_close(db);
    db = open_database(argv[1]);
    query(db, "PRAGMA integrity_check");
    query(db, "SELECT count(*), sum(length(note)) FROM item");
    sqlite3_close(db);

    FILE *file = fopen(argv[1], "rb");
    if (!file) return 1;
    static unsigned char block[4096];
    uint64_t h = 14695981039346656037u;
    size_t size = 0;
    for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0; size += n) h = hash(h, block, n);
    fclose(file);
    printf("file: %zu bytes, checksum %016llx\n", size, (unsigned long long)h);
    return 0;
}
