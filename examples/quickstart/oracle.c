/* The judge: an independent program that loads an implementation of rmsnorm.h and says what it computes and how fast.
 *
 *     oracle verify <lib.so> --shapes measured|unseen [--rows R] [--cols C] [--tolerance T] [--seed N]
 *     oracle run    <lib.so> [--rows R] [--cols C] [--iters N] [--seed N]
 *
 * Both print one JSON object. Exit code 0 means that it was judged, not that it was right: who decides reads the
 * numbers. 2 means bad arguments or no such library; 3 that the judge itself could not work. Each call of the
 * implementation under `verify` happens in a child process on fresh random inputs, so that a crash is a finding.
 *
 * Measures of one shape: `max_error` is the largest |out - reference| over all written, finite outputs, against a
 * reference in double precision. Everything else that is wrong is counted in `defects`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef void kernel_fn(const float *, const float *, float *, int, int, float);

enum { GUARD = 64, POISON = 0x7fc0dead, SHAPE_SECONDS = 20, MAX_ITERS = 100000 };
static const float EPS = 1e-5f;

typedef struct {
    int rows, cols;
    float spread; /* size of the inputs */
} shape_t;

typedef struct {
    double max_error, max_rel_error;
    long unwritten, not_finite, out_of_bounds, inputs_changed, crashed;
    int signal;
} finding_t;

/* What nobody is told: narrow, odd, one off, wider, and a single row. */
static const shape_t UNSEEN[] = {{1, 1, 1.0f},     {3, 7, 1.0f},     {1, 4096, 0.01f}, {5, 4095, 1.0f}, {2, 4097, 1.0f},
                                 {17, 1023, 5.0f}, {33, 768, 1.0f}, {4, 8192, 1.0f},  {64, 16, 0.001f}};

/* ---- random inputs: splitmix64 (Steele, Lea and Flood, OOPSLA 2014) ---- */

static uint64_t random_state;

static uint64_t next_random(void) {
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static double uniform(void) { return (double)(next_random() >> 11) / 9007199254740992.0; }

/* Roughly normal: the sum of four uniform values. */
static float noise(void) { return (float)((uniform() + uniform() + uniform() + uniform() - 2.0) * 1.732); }

static uint64_t fresh_seed(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000007) + (uint64_t)now.tv_nsec + ((uint64_t)getpid() << 32);
}

/* ---- buffers with guard zones on both sides ---- */

static void fail(const char *what) {
    fprintf(stderr, "oracle: %s: %s\n", what, strerror(errno));
    exit(3);
}

static float poison(void) {
    uint32_t bits = POISON;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int is_poison(const float *value) {
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits == POISON;
}

/* `n` floats between two guard zones, all poisoned. */
static float *guarded(size_t n) {
    float *whole = malloc((n + 2 * GUARD) * sizeof *whole);
    if (whole == NULL) fail("out of memory");
    for (size_t i = 0; i < n + 2 * GUARD; i++) whole[i] = poison();
    return whole + GUARD;
}

static void release(float *buffer) { free(buffer - GUARD); }

static long guard_damage(const float *buffer, size_t n) {
    long damage = 0;
    for (size_t i = 0; i < GUARD; i++) {
        damage += !is_poison(buffer - GUARD + i);
        damage += !is_poison(buffer + n + i);
    }
    return damage;
}

static float *copy_of(const float *buffer, size_t n) {
    float *copy = malloc(n * sizeof *copy);
    if (copy == NULL) fail("out of memory");
    memcpy(copy, buffer, n * sizeof *copy);
    return copy;
}

typedef struct {
    int rows, cols;
    size_t n;
    float *x, *w, *out;
} job_t;

static job_t new_job(shape_t shape) {
    job_t job = {shape.rows, shape.cols, (size_t)shape.rows * (size_t)shape.cols, NULL, NULL, NULL};
    job.x = guarded(job.n);
    job.w = guarded((size_t)shape.cols);
    job.out = guarded(job.n);
    for (size_t i = 0; i < job.n; i++) job.x[i] = shape.spread * noise();
    for (int j = 0; j < shape.cols; j++) job.w[j] = 1.0f + 0.25f * noise();
    return job;
}

static void free_job(job_t *job) {
    release(job->x);
    release(job->w);
    release(job->out);
}

/* ---- the reference ---- */

static void compare_row(const float *x, const float *w, const float *out, int cols, finding_t *found) {
    double sum = 0.0;
    for (int j = 0; j < cols; j++) sum += (double)x[j] * (double)x[j];
    double rms = sqrt(sum / cols + (double)EPS);
    for (int j = 0; j < cols; j++) {
        double wanted = (double)x[j] * (double)w[j] / rms;
        if (is_poison(&out[j])) {
            found->unwritten++;
        } else if (!isfinite(out[j])) {
            found->not_finite++;
        } else {
            double error = fabs((double)out[j] - wanted);
            if (error > found->max_error) found->max_error = error;
            /* Near zero a relative error says nothing: 1e-6 is far below every typical output. */
            double relative = error / fmax(fabs(wanted), 1e-6);
            if (relative > found->max_rel_error) found->max_rel_error = relative;
        }
    }
}

/* Judges `job->out` against inputs that the implementation never saw the address of. */
static void judge(const job_t *job, const float *x, const float *w, finding_t *found) {
    for (int i = 0; i < job->rows; i++) {
        size_t at = (size_t)i * (size_t)job->cols;
        compare_row(x + at, w, job->out + at, job->cols, found);
    }
    size_t cols = (size_t)job->cols;
    found->out_of_bounds +=
        guard_damage(job->out, job->n) + guard_damage(job->x, job->n) + guard_damage(job->w, cols);
    found->inputs_changed +=
        (memcmp(job->x, x, job->n * sizeof *x) != 0) + (memcmp(job->w, w, cols * sizeof *w) != 0);
}

static long defects(const finding_t *found) {
    return found->unwritten + found->not_finite + found->out_of_bounds + found->inputs_changed + found->crashed;
}

/* ---- verify ---- */

/* Runs and judges one shape in a child, which leaves its finding in shared memory. */
static void judge_in_child(kernel_fn *kernel, shape_t shape, finding_t *found) {
    uint64_t seed = next_random();
    found->crashed = 1; /* until the child says otherwise */
    pid_t child = fork();
    if (child < 0) fail("cannot fork");
    if (child == 0) {
        alarm(SHAPE_SECONDS);
        random_state = seed;
        job_t job = new_job(shape);
        float *x = copy_of(job.x, job.n), *w = copy_of(job.w, (size_t)shape.cols);
        kernel(job.x, job.w, job.out, shape.rows, shape.cols, EPS);
        finding_t result = {0};
        judge(&job, x, w, &result);
        *found = result;
        _exit(0);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR) fail("cannot wait for the child");
    }
    if (WIFSIGNALED(status)) {
        found->crashed = 1;
        found->signal = WTERMSIG(status);
    }
}

static int shape_ok(const finding_t *found, double tolerance) {
    return found->max_error <= tolerance && defects(found) == 0;
}

static int is_worse(const finding_t *a, const finding_t *b) {
    if (a->crashed != b->crashed) return a->crashed > b->crashed;
    if (a->max_error != b->max_error) return a->max_error > b->max_error;
    return defects(a) > defects(b);
}

static void print_shape(const shape_t *shape, const finding_t *found, double tolerance, int first) {
    printf("%s{\"shape\":\"%dx%d\",\"rows\":%d,\"cols\":%d,\"ok\":%s,\"max_error\":%.9g,\"max_rel_error\":%.9g,",
           first ? "" : ",", shape->rows, shape->cols, shape->rows, shape->cols,
           shape_ok(found, tolerance) ? "true" : "false", found->max_error, found->max_rel_error);
    printf("\"defects\":%ld,\"unwritten\":%ld,\"not_finite\":%ld,\"out_of_bounds\":%ld,\"inputs_changed\":%ld,"
           "\"crashed\":%s,\"signal\":%d}",
           defects(found), found->unwritten, found->not_finite, found->out_of_bounds, found->inputs_changed,
           found->crashed ? "true" : "false", found->signal);
}

/* One sentence for a report. */
static void print_summary(const shape_t *worst, const finding_t *found, const finding_t *sum, int wrong, int count) {
    if (wrong == 0) {
        printf("\"summary\":\"right on all %d shapes\"", count);
        return;
    }
    printf("\"summary\":\"wrong on %d of %d shapes, worst %dx%d", wrong, count, worst->rows, worst->cols);
    if (found->crashed && found->signal) {
        printf(": crashed (signal %d)", found->signal);
    } else if (found->crashed) {
        printf(": ended the process");
    } else {
        printf(" with an error of %.3g", found->max_error);
    }
    if (sum->unwritten) printf("; %ld outputs never written", sum->unwritten);
    if (sum->not_finite) printf("; %ld outputs not finite", sum->not_finite);
    if (sum->out_of_bounds) printf("; %ld values written out of bounds", sum->out_of_bounds);
    if (sum->inputs_changed) printf("; inputs changed");
    printf("\"");
}

static int verify(kernel_fn *kernel, const char *set, shape_t timed, uint64_t seed, double tolerance) {
    /* What is timed, with inputs of two magnitudes. */
    const shape_t measured[] = {timed, {timed.rows, timed.cols, 30.0f}};
    int unseen = strcmp(set, "unseen") == 0;
    const shape_t *shapes = unseen ? UNSEEN : measured;
    int count = (int)(unseen ? sizeof UNSEEN / sizeof *UNSEEN : sizeof measured / sizeof *measured);
    size_t bytes = (size_t)count * sizeof(finding_t);
    finding_t *found = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (found == MAP_FAILED) fail("cannot map memory");
    random_state = seed;
    finding_t sum = {0};
    int worst = 0, wrong = 0;
    for (int s = 0; s < count; s++) {
        judge_in_child(kernel, shapes[s], &found[s]);
        wrong += !shape_ok(&found[s], tolerance);
        if (is_worse(&found[s], &found[worst])) worst = s;
        sum.max_error = fmax(sum.max_error, found[s].max_error);
        sum.max_rel_error = fmax(sum.max_rel_error, found[s].max_rel_error);
        sum.unwritten += found[s].unwritten;
        sum.not_finite += found[s].not_finite;
        sum.out_of_bounds += found[s].out_of_bounds;
        sum.inputs_changed += found[s].inputs_changed;
        sum.crashed += found[s].crashed;
    }
    printf("{\"set\":\"%s\",\"seed\":\"%llu\",\"max_error\":%.9g,\"max_rel_error\":%.9g,\"defects\":%ld,", set,
           (unsigned long long)seed, sum.max_error, sum.max_rel_error, defects(&sum));
    printf("\"unwritten\":%ld,\"not_finite\":%ld,\"out_of_bounds\":%ld,\"inputs_changed\":%ld,\"crashed\":%ld,",
           sum.unwritten, sum.not_finite, sum.out_of_bounds, sum.inputs_changed, sum.crashed);
    printf("\"wrong_shapes\":%d,\"worst_shape\":\"%dx%d\",", wrong, shapes[worst].rows, shapes[worst].cols);
    print_summary(&shapes[worst], &found[worst], &sum, wrong, count);
    printf(",\"shapes\":[");
    for (int s = 0; s < count; s++) print_shape(&shapes[s], &found[s], tolerance, s == 0);
    printf("]}\n");
    return 0;
}

/* ---- run ---- */

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Times `iters` calls, alternating between two sets of inputs, and judges what the last two calls wrote. */
static int run(kernel_fn *kernel, shape_t shape, int iters, uint64_t seed) {
    random_state = seed;
    job_t jobs[2] = {new_job(shape), new_job(shape)};
    float *x[2], *w[2];
    double *took = malloc((size_t)iters * sizeof *took);
    if (took == NULL) fail("out of memory");
    for (int b = 0; b < 2; b++) {
        x[b] = copy_of(jobs[b].x, jobs[b].n);
        w[b] = copy_of(jobs[b].w, (size_t)shape.cols);
        kernel(jobs[b].x, jobs[b].w, jobs[b].out, shape.rows, shape.cols, EPS); /* touch pages, fill caches */
    }
    for (int b = 0; b < 2; b++) {
        for (size_t i = 0; i < jobs[b].n; i++) jobs[b].out[i] = poison();
    }
    for (int i = 0; i < iters; i++) {
        job_t *job = &jobs[i % 2];
        double start = now_ns();
        kernel(job->x, job->w, job->out, shape.rows, shape.cols, EPS);
        took[i] = now_ns() - start;
    }
    finding_t found = {0};
    double checksum = 0.0;
    for (int b = 0; b < 2; b++) {
        judge(&jobs[b], x[b], w[b], &found);
        for (size_t i = 0; i < jobs[b].n; i++) {
            if (isfinite(jobs[b].out[i])) checksum += (double)jobs[b].out[i];
        }
        free_job(&jobs[b]);
        free(x[b]);
        free(w[b]);
    }
    qsort(took, (size_t)iters, sizeof *took, by_value);
    printf("{\"ns_per_call\":%.1f,\"fastest_ns\":%.1f,\"iters\":%d,\"rows\":%d,\"cols\":%d,\"checksum\":%.9g,"
           "\"max_error\":%.9g,\"defects\":%ld}\n",
           took[iters / 2], took[0], iters, shape.rows, shape.cols, checksum, found.max_error, defects(&found));
    free(took);
    return 0;
}

/* ---- arguments ---- */

static int usage(const char *problem) {
    fprintf(stderr,
            "oracle: %s\n"
            "usage: oracle verify <lib.so> --shapes measured|unseen [--rows R] [--cols C] [--tolerance T] [--seed N]\n"
            "       oracle run <lib.so> [--rows R] [--cols C] [--iters N] [--seed N]\n",
            problem);
    return 2;
}

/* A whole number from `least` to `most`, or -1. */
static long whole(const char *text, long least, long most) {
    char *end = NULL;
    errno = 0;
    long value = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && value >= least && value <= most ? value : -1;
}

int main(int argc, char **argv) {
    if (argc < 3) return usage("a command and a library are needed");
    int is_verify = strcmp(argv[1], "verify") == 0;
    if (!is_verify && strcmp(argv[1], "run") != 0) return usage("unknown command");
    const char *set = NULL;
    long rows = 32, cols = 4096, iters = 101;
    double tolerance = 1e-5;
    uint64_t seed = fresh_seed();
    for (int i = 3; i < argc; i += 2) {
        const char *name = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        char *end = NULL;
        if (is_verify && strcmp(name, "--shapes") == 0) {
            set = value;
        } else if (is_verify && strcmp(name, "--tolerance") == 0) {
            tolerance = strtod(value, &end);
            if (end == value || *end != '\0' || !(tolerance >= 0.0)) return usage("--tolerance needs a number");
        } else if (strcmp(name, "--seed") == 0) {
            seed = strtoull(value, &end, 10);
            if (end == value || *end != '\0') return usage("--seed needs a whole number");
        } else if (strcmp(name, "--rows") == 0) {
            rows = whole(value, 1, 1 << 14);
        } else if (strcmp(name, "--cols") == 0) {
            cols = whole(value, 1, 1 << 14);
        } else if (!is_verify && strcmp(name, "--iters") == 0) {
            iters = whole(value, 2, MAX_ITERS);
        } else {
            return usage("unknown option");
        }
    }
    if (rows < 0 || cols < 0 || iters < 0) return usage("a number is out of range");
    if (is_verify && (set == NULL || (strcmp(set, "measured") != 0 && strcmp(set, "unseen") != 0))) {
        return usage("--shapes needs `measured` or `unseen`");
    }
    void *library = dlopen(argv[2], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) return usage(dlerror());
    kernel_fn *kernel;
    *(void **)&kernel = dlsym(library, "rmsnorm"); /* the cast that POSIX prescribes for functions */
    if (kernel == NULL) return usage(dlerror());
    shape_t timed = {(int)rows, (int)cols, 1.0f};
    if (is_verify) return verify(kernel, set, timed, seed, tolerance);
    return run(kernel, timed, (int)iters, seed);
}
