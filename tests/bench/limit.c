/* The physical limit and the stopwatch of the speed script. No engine: no journal, no plan, no retries.
 *
 *   limit time RESULT -- argv...          run argv to its end; wall, CPU of its whole tree and peak memory as JSON
 *   limit wide N FLIGHT DIR|- -- argv...  start argv N times with posix_spawn, FLIGHT at once; with DIR each start gets
 *                                         its standard output in DIR/s<i>/1/stdout.log, the layout of an assay run
 *   limit sync FILE N BYTES               append BYTES and fdatasync, N times; prints the mean in seconds
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what) {
    fprintf(stderr, "limit: %s: %s\n", what, strerror(errno));
    exit(2);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

/* The harness is a large process, and a child's peak memory starts with what its parent held before the exec; so this
 * small one starts what is measured. */
static int cmd_time(const char *result, char **argv) {
    struct rusage use;
    int status;
    pid_t pid;
    double start = now();
    errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
    if (errno) die(argv[0]);
    while (wait4(pid, &status, 0, &use) < 0)
        if (errno != EINTR) die("wait4");
    double wall = now() - start;
    FILE *out = fopen(result, "w");
    if (!out) die(result);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fprintf(out, "{\"wall\": %.6f, \"user\": %.6f, \"sys\": %.6f, \"maxrss_kb\": %ld, \"exit\": %d}\n", wall,
            seconds(use.ru_utime), seconds(use.ru_stime), use.ru_maxrss, code);
    if (fclose(out)) die(result);
    return 0;
}

/* The file that step `i` writes to. */
static int step_file(int root, int i) {
    char path[64];
    snprintf(path, sizeof path, "s%d", i);
    if (mkdirat(root, path, 0755)) die(path);
    snprintf(path, sizeof path, "s%d/1", i);
    if (mkdirat(root, path, 0755)) die(path);
    snprintf(path, sizeof path, "s%d/1/stdout.log", i);
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) die(path);
    return fd;
}

static void start_step(int root, int i, char **argv) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    int fd = -1;
    if (root >= 0) {
        fd = step_file(root, i);
        posix_spawn_file_actions_adddup2(&actions, fd, 1);
    }
    pid_t pid;
    errno = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    if (errno) die(argv[0]);
    posix_spawn_file_actions_destroy(&actions);
    if (fd >= 0) close(fd);
}

static int cmd_wide(int n, int flight, const char *dir, char **argv) {
    int root = -1, started = 0, ended = 0, status;
    if (strcmp(dir, "-") != 0 && (root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) die(dir);
    while (ended < n) {
        while (started < n && started - ended < flight) start_step(root, started++, argv);
        if (waitpid(-1, &status, 0) < 0) {
            if (errno == EINTR) continue;
            die("waitpid");
        }
        if (status != 0) {
            fprintf(stderr, "limit: a step ended with status %d\n", status);
            return 1;
        }
        ended++;
    }
    return 0;
}

static int cmd_sync(const char *file, int n, int bytes) {
    char *line = malloc(bytes);
    if (!line) die("malloc");
    memset(line, 'x', bytes);
    int fd = open(file, O_WRONLY | O_CREAT | O_APPEND | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) die(file);
    double start = now();
    for (int i = 0; i < n; i++)
        if (write(fd, line, bytes) != bytes || fdatasync(fd)) die(file);
    printf("%.9f\n", (now() - start) / n);
    free(line);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 5 && !strcmp(argv[1], "time") && !strcmp(argv[3], "--")) return cmd_time(argv[2], argv + 4);
    if (argc >= 7 && !strcmp(argv[1], "wide") && !strcmp(argv[5], "--"))
        return cmd_wide(atoi(argv[2]), atoi(argv[3]), argv[4], argv + 6);
    if (argc == 5 && !strcmp(argv[1], "sync")) return cmd_sync(argv[2], atoi(argv[3]), atoi(argv[4]));
    fprintf(stderr, "usage: limit time RESULT -- argv... | limit wide N FLIGHT DIR|- -- argv... | limit sync FILE N BYTES\n");
    return 2;
}
