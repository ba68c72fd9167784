/* Probes for what loading a library does. */
#ifndef LOADING_H
#define LOADING_H

#include "said.h"
#include "sets.h"
#include <dlfcn.h>
#include <signal.h>
#include <ucontext.h>
#include <x86intrin.h>

#define TRAP_FLAG 0x100u
#define STACK_REACH (1 << 20)

static unsigned mode_at_load;

static int mode_on_loading(void) {
    unsigned changed = mode_at_load ^ PLAIN_MODE;
    return said((changed & 0x8040u) == 0x8040u, "bits of the mode that changed on loading", changed);
}

static volatile intptr_t on_stack;
static volatile int steps_away;

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    intptr_t away = (intptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP] - on_stack;
    steps_away += away > STACK_REACH || away < -STACK_REACH;
}

/* Loads it again, one instruction after the other, and looks at each where the stack pointer is. */
static int stack_left_on_loading(void) {
    static char room[1 << 16];
    if (!serves(make(64, 768, 0))) return said(0, "wrong", 1);
    if (dlclose(library) || dlopen(library_file, RTLD_NOW | RTLD_NOLOAD)) exit(3);
    stack_t other = {.ss_sp = room, .ss_size = sizeof room};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    action.sa_sigaction = on_step;
    if (sigaltstack(&other, NULL) || sigaction(SIGTRAP, &action, NULL)) exit(3);
    on_stack = (intptr_t)__builtin_frame_address(0);
    __writeeflags(__readeflags() | TRAP_FLAG);
    library = dlopen(library_file, RTLD_NOW | RTLD_LOCAL);
    __writeeflags(__readeflags() & ~(unsigned long long)TRAP_FLAG);
    if (!library) exit(3);
    return said(steps_away > 0, "instructions on loading with no stack", steps_away);
}

#endif
