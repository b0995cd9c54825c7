/* Exercises the file system and standard input like an ordinary tool, and prints what it saw.
 *
 *     files ROOT < some text
 *
 * ROOT is an existing directory; everything is created and removed in ROOT/scratch, except for ROOT/scratch/kept.
 * Nothing that differs between machines (times, inode numbers, sizes of directories, order of entries) is printed.
 * An error is printed as its name, so that engines that report a different one are found out. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *error_name(int error) {
    static const struct {
        int error;
        const char *name;
    } names[] = {
        {0, "ok"},           {EACCES, "EACCES"},   {EBADF, "EBADF"},         {EEXIST, "EEXIST"}, {EINVAL, "EINVAL"},
        {EISDIR, "EISDIR"},  {ELOOP, "ELOOP"},     {ENOENT, "ENOENT"},       {EPERM, "EPERM"},   {ENOTDIR, "ENOTDIR"},
        {EROFS, "EROFS"},    {ENOTEMPTY, "ENOTEMPTY"}, {ESPIPE, "ESPIPE"},   {EXDEV, "EXDEV"},   {EMFILE, "EMFILE"},
        {ENAMETOOLONG, "ENAMETOOLONG"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].error == error) return names[i].name;
    return "another error";
}

/* Prints what a call came to: 0 or more is success. */
static void outcome(const char *what, long result) {
    printf("%s: %s\n", what, result >= 0 ? "ok" : error_name(errno));
}

static void fail(const char *what) {
    printf("%s failed: %s\n", what, error_name(errno));
    exit(1);
}

/* FNV-1a. */
#define HASH_START 14695981039346656037u

static uint64_t hash(uint64_t h, const void *data, size_t length) {
    for (const unsigned char *p = data; length > 0; length--) h = (h ^ *p++) * 1099511628211u;
    return h;
}

/* --- standard input --- */

static void read_standard_input(void) {
    char buffer[777];
    uint64_t h = HASH_START;
    size_t bytes = 0, lines = 0, words = 0;
    int in_word = 0;
    ssize_t n;
    while ((n = read(0, buffer, sizeof buffer)) > 0) {
        h = hash(h, buffer, (size_t)n);
        bytes += (size_t)n;
        for (ssize_t i = 0; i < n; i++) {
            int space = buffer[i] == ' ' || buffer[i] == '\n' || buffer[i] == '\t';
            lines += buffer[i] == '\n';
            words += !space && !in_word;
            in_word = !space;
        }
    }
    if (n < 0) fail("reading standard input");
    printf("stdin: %zu lines, %zu words, %zu bytes, hash %016llx\n", lines, words, bytes, (unsigned long long)h);
}

/* --- files --- */

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0) fail(path);
}

static void show_file(const char *path) {
    char text[256];
    FILE *file = fopen(path, "r");
    if (!file) {
        printf("%s: %s\n", path, error_name(errno));
        return;
    }
    size_t n = fread(text, 1, sizeof text - 1, file);
    text[n] = 0;
    fclose(file);
    printf("%s: %zu bytes: %s\n", path, n, text);
}

static void reading_and_writing(void) {
    write_file("a.txt", "first line; ");
    FILE *file = fopen("a.txt", "a");
    if (!file) fail("append");
    fputs("appended", file);
    fclose(file);
    show_file("a.txt");

    int fd = open("a.txt", O_RDWR);
    if (fd < 0) fail("open");
    char text[16] = {0};
    long long from_start = lseek(fd, 6, SEEK_SET), from_here = lseek(fd, -2, SEEK_CUR);
    long long from_end = lseek(fd, -8, SEEK_END);
    printf("seek to %lld, %lld, %lld\n", from_start, from_here, from_end);
    ssize_t n = read(fd, text, 8);
    printf("read %zd: %s\n", n, text);
    outcome("seek before the beginning", lseek(fd, -1, SEEK_SET));
    n = pwrite(fd, "FIRST", 5, 0);
    printf("pwrite %zd, ", n);
    n = pread(fd, text, 5, 0);
    printf("pread %zd: %s, position still %lld\n", n, text, (long long)lseek(fd, 0, SEEK_CUR));
    outcome("truncate to 5", ftruncate(fd, 5));
    show_file("a.txt");
    outcome("extend to 9", ftruncate(fd, 9));
    struct stat st;
    if (fstat(fd, &st) != 0) fail("fstat");
    printf("size %lld, regular file %d\n", (long long)st.st_size, S_ISREG(st.st_mode));
    struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1234567890, .tv_nsec = 5000}};
    outcome("set times", futimens(fd, times));
    if (stat("a.txt", &st) != 0) fail("stat");
    printf("times %lld and %lld.%09ld\n", (long long)st.st_atim.tv_sec, (long long)st.st_mtim.tv_sec,
           st.st_mtim.tv_nsec);
    outcome("fsync", fsync(fd));
    close(fd);
    outcome("read after close", read(fd, text, 1));

    outcome("exclusive create of what exists", open("a.txt", O_CREAT | O_EXCL | O_WRONLY, 0666));
    outcome("open of what is missing", open("missing", O_RDONLY));
    outcome("open of a file as a directory", open("a.txt", O_RDONLY | O_DIRECTORY));
    fd = open("a.txt", O_RDONLY);
    outcome("write to a read-only descriptor", write(fd, "x", 1));
    close(fd);
    fd = open("a.txt", O_WRONLY | O_TRUNC);
    close(fd);
    show_file("a.txt");

    static char block[65536];
    uint64_t h = HASH_START;
    fd = open("big", O_CREAT | O_RDWR, 0666);
    for (uint32_t i = 0; i < 32; i++) {
        for (uint32_t k = 0; k < sizeof block; k++) block[k] = (char)((i * k) >> 7);
        if (write(fd, block, sizeof block) != sizeof block) fail("writing big");
    }
    lseek(fd, 0, SEEK_SET);
    while ((n = read(fd, block, 50000)) > 0) h = hash(h, block, (size_t)n);
    printf("big: position %lld, hash %016llx\n", (long long)lseek(fd, 0, SEEK_CUR), (unsigned long long)h);
    close(fd);
}

/* --- directories --- */

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Prints the tree below `path`, entries by name; of a large directory only a hash of the names. */
static void walk(const char *path, int depth) {
    DIR *directory = opendir(path);
    if (!directory) {
        printf("%*s%s: %s\n", depth * 2, "", path, error_name(errno));
        return;
    }
    char *names[512];
    size_t count = 0, dots = 0;
    for (struct dirent *entry; (entry = readdir(directory)) && count < 512;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            dots++;
        else if (!(names[count++] = strdup(entry->d_name)))
            fail("strdup");
    }
    closedir(directory);
    qsort(names, count, sizeof names[0], by_name);
    printf("%*s%s/: %zu entries, %zu dots\n", depth * 2, "", path, count, dots);
    if (count > 100) {
        uint64_t h = HASH_START;
        for (size_t i = 0; i < count; i++) {
            h = hash(h, names[i], strlen(names[i]) + 1);
            free(names[i]);
        }
        printf("%*snames hash %016llx\n", depth * 2 + 2, "", (unsigned long long)h);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char child[512];
        struct stat st;
        snprintf(child, sizeof child, "%s/%s", path, names[i]);
        if (lstat(child, &st) != 0) fail(child);
        if (S_ISDIR(st.st_mode)) {
            walk(child, depth + 1);
        } else if (S_ISLNK(st.st_mode)) {
            char target[128] = {0};
            if (readlink(child, target, sizeof target - 1) < 0) fail(child);
            printf("%*s%s -> %s\n", depth * 2 + 2, "", names[i], target);
        } else {
            printf("%*s%s: %lld bytes\n", depth * 2 + 2, "", names[i], (long long)st.st_size);
        }
        free(names[i]);
    }
}

static void directories(void) {
    outcome("mkdir", mkdir("d", 0777));
    outcome("mkdir again", mkdir("d", 0777));
    outcome("mkdir below what is missing", mkdir("no/d", 0777));
    outcome("mkdir d/e", mkdir("d/e", 0777));
    outcome("mkdir d/many", mkdir("d/many", 0777));
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "d/many/entry-with-a-rather-long-name-%03d", i * 7 % 300);
        write_file(name, "x");
    }
    write_file("d/e/f \xc3\xbc.txt", "umlaut");
    write_file("d/g.txt", "g");
    outcome("symlink", symlink("d/g.txt", "link"));
    outcome("symlink to a directory", symlink("e", "d/to-e"));
    outcome("dangling symlink", symlink("nowhere", "dangling"));
    outcome("hard link", link("d/g.txt", "d/h.txt"));
    show_file("link");
    show_file("dangling");
    show_file("d/to-e/f \xc3\xbc.txt");
    show_file("d/../d/./e/../h.txt");
    outcome("open without following", open("link", O_RDONLY | O_NOFOLLOW));
    walk(".", 0);

    outcome("rename", rename("d/h.txt", "d/e/i.txt"));
    outcome("rename over a file", rename("d/e/i.txt", "d/to-e/f \xc3\xbc.txt"));
    show_file("d/e/f \xc3\xbc.txt");
    outcome("rename of what is missing", rename("missing", "m"));
    outcome("rename of a directory", rename("d/e", "d/renamed"));
    outcome("rmdir of a full directory", rmdir("d/renamed"));
    outcome("rmdir of a file", rmdir("d/g.txt"));
    outcome("unlink of what is missing", unlink("missing"));
    outcome("unlink of a link", unlink("link"));
    outcome("unlink", unlink("d/renamed/f \xc3\xbc.txt"));
    outcome("rmdir", rmdir("d/renamed"));
    outcome("access", access("d/g.txt", R_OK));
    outcome("access of what is missing", access("d/e", F_OK));
    for (int i = 0; i < 300; i++) {
        char name[64];
        snprintf(name, sizeof name, "d/many/entry-with-a-rather-long-name-%03d", i);
        if (unlink(name) != 0) fail(name);
    }
    outcome("rmdir of the emptied directory", rmdir("d/many"));
    unlink("d/to-e");
    unlink("dangling");
    unlink("d/g.txt");
    rmdir("d");
    unlink("big");
    unlink("a.txt");
    write_file("kept", "kept for the caller to compare\n");
    walk(".", 0);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fputs("usage: files ROOT < text\n", stderr);
        return 2;
    }
    read_standard_input();
    if (chdir(argv[1]) != 0) fail("chdir");
    if (mkdir("scratch", 0777) != 0) fail("mkdir scratch");
    if (chdir("scratch") != 0) fail("chdir scratch");
    reading_and_writing();
    directories();
    printf("done\n");
    return 0;
}
