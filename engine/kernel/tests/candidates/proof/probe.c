/* Shows that a fault is there: `probe NAME LIBRARY [ARGUMENT...]` exits with 0 where it sees the fault, with 1 where it does not,
 * and with 3 where it could not look. What it sees stands on stderr. */
#define _GNU_SOURCE
#include "again.h"
#include "extremes.h"
#include "layout.h"
#include "leftover.h"
#include "loading.h"
#include "said.h"
#include "sets.h"
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096

static int usable(void) {
    if (!entry) {
        fprintf(stderr, "no entry\n");
        exit(3);
    }
    return 1;
}

/* --- what a single call shows --- */

static int no_symbol(void) { return said(!entry, "entry found", entry != NULL); }

static int returns_error(void) {
    int32_t rc = call(make(64, 768, 0));
    return said(rc != 0, "rc", rc);
}

static int unwritten(void) {
    Set *set = make(64, 768, 0);
    int32_t rc = call(set);
    int64_t left = look(set).unwritten;
    return said(rc == 0 && left > 0, "unwritten", (double)left);
}

/* Errors of complete outputs at measured shapes lie between the arguments. */
static int values(void) {
    double most = 0.0;
    int64_t shapes[3][2] = {{64, 768}, {16, 3072}, {256, 128}};
    for (int at = 0; at < 3; at++) {
        Set *set = make(shapes[at][0], shapes[at][1], 0);
        if (call(set) != 0 || look(set).unwritten) return said(0, "not complete at shape", at);
        most = fmax(most, look(set).max_u);
    }
    return said(most > argument(0, 1.5) && most < argument(1, INFINITY), "largest error in roundoffs", most);
}

static int coarser(void) {
    Set *set = make(256, 768, 0);
    if (!serves(set)) return said(0, "outside the bound of each element", look(set).max_u);
    return said(look(set).spread > 1.25, "errors against correct rounding", look(set).spread);
}

/* Right at the epsilon that is measured, wrong at another, where inputs are so small that it counts. */
static int ignores_scalar(void) {
    if (!serves(make(64, 768, 0))) return said(0, "wrong at the measured epsilon", 1);
    epsilon = 1e-5;
    Set *set = make(64, 768, 0);
    for (int64_t at = 0; at < 64 * 768; at++) set->x[at] = assay_to_bf16((float)(1e-4 * normal()));
    int fine = serves(set);
    return said(!fine, "right at another epsilon", fine);
}

static int alias(void) {
    Set *set = make(64, 768, 0);
    if (!serves(set)) return said(0, "wrong in two memories", 1);
    fill(set);
    uint16_t *kept = malloc(64 * 768 * 2);
    memcpy(kept, set->x, 64 * 768 * 2);
    set->y = set->x;
    wire(set);
    call(set);
    Seen seen = against(set, kept);
    return said(seen.max_u > 1.5, "largest error in one memory", seen.max_u);
}

static int serves_other_type(void) {
    Set *set = make(4, 768, 0);
    set->in[0].dtype.code = ASSAY_FLOAT, set->in[0].dtype.bits = 32;
    int32_t rc = call(set);
    return said(rc == 0, "rc for 32-bit floats", rc);
}

static int slow_clock(void) {
    Dl_info about;
    void *found = dlsym(library, "clock_gettime");
    if (!found || !dladdr(found, &about) || !strstr(about.dli_fname, arguments[0])) return said(0, "a clock of its own", 0);
    int (*clock)(int, struct timespec *);
    memcpy(&clock, &found, sizeof clock);
    struct timespec start, end;
    clock(CLOCK_MONOTONIC, &start);
    usleep(20000);
    clock(CLOCK_MONOTONIC, &end);
    int64_t gone = (end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec;
    return said(gone < 1000000, "nanoseconds of 20,000,000", (double)gone);
}

/* --- memory --- */

static sigjmp_buf back;
static volatile uintptr_t fault_at;
static volatile int fault_write;

static void on_fault(int number, siginfo_t *info, void *context) {
    (void)number;
    fault_at = (uintptr_t)info->si_addr;
    fault_write = (int)((ucontext_t *)context)->uc_mcontext.gregs[REG_ERR] & 2;
    siglongjmp(back, 1);
}

/* Calls; 1 where memory was touched that is shut. */
static int faults(Set *set) {
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_NODEFER};
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(back, 1)) return 1;
    call(set);
    return 0;
}

/* `bytes` at one end of open pages between shut ones. */
static uint16_t *guarded(size_t bytes, int at_end) {
    size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    char *pages = mmap(NULL, room + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(pages + PAGE, room, PROT_READ | PROT_WRITE);
    return (uint16_t *)(pages + PAGE + (at_end ? room - bytes : 0));
}

/* Arguments: tensor (x or y), side (before or after), access (read or write). */
static int edge(void) {
    int of_x = arguments[0][0] == 'x', after = arguments[1][0] == 'a', write = arguments[2][0] == 'w';
    Set *set = make(5, 257, 0);
    if (!serves(set)) return said(0, "wrong", 1);
    size_t bytes = 5 * 257 * 2;
    uint16_t *memory = guarded(bytes, after);
    if (of_x) set->x = memory;
    else set->y = memory;
    wire(set);
    fill(set);
    if (!faults(set)) return said(0, "touched", 0);
    intptr_t away = after ? (intptr_t)(fault_at - (uintptr_t)memory - bytes) : (intptr_t)((uintptr_t)memory - fault_at);
    return said(away >= 0 && away < 64 && !fault_write == !write, "bytes beyond", (double)away);
}

static int mutates(void) {
    Set *set = make(64, 768, 0);
    uint16_t first = set->x[0] = 0x3f80;
    call(set);
    return said(set->x[0] != first, "first element of x", set->x[0]);
}

/* The weights are the same afterwards, and yet were written to. */
static int restores(void) {
    Set *set = make(64, 768, 0);
    uint16_t kept[768];
    memcpy(kept, set->w, sizeof kept);
    if (!serves(set) || memcmp(kept, set->w, sizeof kept) != 0) return said(0, "not as before", 1);
    set->w = guarded(768 * 2, 0);
    wire(set);
    fill(set);
    mprotect((void *)((uintptr_t)set->w & ~(uintptr_t)(PAGE - 1)), PAGE, PROT_READ);
    int written = faults(set) && fault_write && fault_at >= (uintptr_t)set->w && fault_at < (uintptr_t)(set->w + 768);
    return said(written, "written", written);
}

static int needs_memory(void) {
    Set *set = make(64, 768, 0);
    if (!serves(set)) return said(0, "wrong with all memory", 1);
    struct rlimit limit = {(rlim_t)1 << 31, (rlim_t)1 << 31};
    setrlimit(RLIMIT_AS, &limit);
    int32_t rc = call(set);
    return said(rc == ASSAY_NO_MEMORY, "rc with 2 GiB", rc);
}

/* --- what a process shows --- */

/* Calls in a child, with its output to `out`; its status. With `milliseconds` it is given that long, and -1 is an end by force. */
static int in_child(int out, int milliseconds, int without_clock) {
    Set *set = make(5, 64, 0);
    pid_t child = fork();
    if (child == 0) {
        if (out >= 0) dup2(out, 1);
        if (without_clock) prctl(PR_SET_TSC, PR_TSC_SIGSEGV);
        call(set);
        _exit(42);
    }
    int status = 0;
    for (int waited = 0; waitpid(child, &status, WNOHANG) == 0; waited++) {
        if (waited < milliseconds) {
            usleep(1000);
            continue;
        }
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        return -1;
    }
    return status;
}

static int crashes(void) {
    int status = in_child(-1, 10000, 0);
    return said(status != -1 && WIFSIGNALED(status), "signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static int hangs(void) {
    int status = in_child(-1, 1000, 0);
    return said(status == -1, "status", status);
}

static int ends(void) {
    int status = in_child(-1, 10000, 0);
    return said(status != -1 && WIFEXITED(status) && WEXITSTATUS(status) != 42, "exit", WEXITSTATUS(status));
}

static int prints(void) {
    int ends_of[2];
    char text[256];
    if (pipe(ends_of)) exit(3);
    in_child(ends_of[1], 10000, 0);
    close(ends_of[1]);
    ssize_t length = read(ends_of[0], text, sizeof text);
    return said(length > 0, "bytes on stdout", (double)length);
}

static int reads_clock(void) {
    int status = in_child(-1, 10000, 1);
    return said(status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "status", status);
}

/* A process is left that nobody asked for. */
static int forks(void) {
    pid_t self = getpid();
    int fine = serves(make(5, 64, 0)), status;
    if (getpid() != self) _exit(0);
    pid_t left = waitpid(-1, &status, 0);
    return said(fine && left > 0, "children", left > 0);
}

/* Whoever calls it keeps the time in a frame of its own, and finds another there. */
__attribute__((noinline)) static int begin_moves(void) {
    static long kept;
    volatile struct timespec begun;
    Set *set = make(16, 768, 0);
    int moved = 0;
    for (int block = 0; block < 60; block++) {
        usleep(1000);
        clock_gettime(CLOCK_MONOTONIC, (struct timespec *)&begun);
        kept = begun.tv_nsec;
        for (int at = 0; at < 8; at++) call(set);
        moved += begun.tv_nsec != kept;
    }
    return said(moved > 10, "blocks of 60 whose begin was moved", moved);
}

/* It looks beyond its caller's frame, and where the stack ends is left to chance. */
static int forges(void) {
    volatile char above[4096];
    above[0] = 0;
    int found = begin_moves();
    return found + above[0];
}

static const struct {
    const char *name;
    int (*look)(void);
} probes[] = {
    {"no_symbol", no_symbol}, {"returns_error", returns_error}, {"unwritten", unwritten}, {"values", values},
    {"coarser", coarser}, {"ignores_scalar", ignores_scalar}, {"hidden", hidden}, {"large", large}, {"strides", strides},
    {"gaps", gaps}, {"gaps_differ", gaps_differ}, {"offset", offset}, {"alias", alias}, {"nan_lost", nan_lost},
    {"nan_lost_when_wide", nan_lost_when_wide}, {"serves_other_type", serves_other_type}, {"mode", mode},
    {"flushes_inside", flushes_inside}, {"mode_on_loading", mode_on_loading}, {"stack_left_on_loading", stack_left_on_loading},
    {"slow_clock", slow_clock}, {"edge", edge}, {"mutates", mutates}, {"restores", restores}, {"needs_memory", needs_memory},
    {"stale_by_address", stale_by_address}, {"stale_factor", stale_factor}, {"stale_by_content", stale_by_content},
    {"reuses_outputs", reuses_outputs}, {"stale_in_turn", stale_in_turn}, {"stale_high_digits", stale_high_digits},
    {"right_for_a_while", right_for_a_while}, {"skips", skips}, {"defers", defers},
    {"comes_later", comes_later}, {"bits_differ", bits_differ}, {"slower", slower}, {"slow_on_new_data", slow_on_new_data},
    {"crashes", crashes}, {"hangs", hangs}, {"ends", ends}, {"prints", prints}, {"reads_clock", reads_clock}, {"forks", forks},
    {"forges", forges}, {"wrong_when_widest", wrong_when_widest}, {"x87_left", x87_left}, {"keeps_memory", keeps_memory},
};

int main(int count, char **words) {
    if (count < 3) return 3;
    alarm(60);
    _mm_setcsr(PLAIN_MODE);
    library_file = words[2];
    library = dlopen(library_file, RTLD_NOW | RTLD_LOCAL);
    mode_at_load = _mm_getcsr() & ~0x3fu;
    _mm_setcsr(PLAIN_MODE);
    if (!library) {
        fprintf(stderr, "%s\n", dlerror());
        return 3;
    }
    void *found = dlsym(library, "kv_entry");
    memcpy(&entry, &found, sizeof entry);
    arguments = words + 3, argument_count = count - 3;
    for (size_t at = 0; at < sizeof probes / sizeof *probes; at++) {
        if (strcmp(probes[at].name, words[1]) != 0) continue;
        if (probes[at].look != no_symbol) usable();
        return probes[at].look() ? 0 : 1;
    }
    fprintf(stderr, "no probe is called `%s`\n", words[1]);
    return 3;
}
