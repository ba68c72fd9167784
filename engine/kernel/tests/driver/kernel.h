/* Makes a library for the simulated driver of a kernel. A source is: cuda_on_cpu.h, the kernel, this, and SIM_KERNEL(name) for each kernel
 * that can be launched. Blocks run one after the other; the threads of a block in turn, from barrier to barrier. */
#include "launch.h"
#include <algorithm>
#include <mutex>
#include <tuple>
#include <utility>
#include <vector>

static std::function<void()> sim_body;

static void sim_thread() {
    sim_body();
    on_cpu_done[on_cpu_thread] = true;
    swapcontext(&on_cpu_threads[on_cpu_thread], &on_cpu_turns);
}

/* What is shared by the threads of a block; null where a kernel shares nothing. */
extern "C" __attribute__((weak)) char __start_of_blocks[], __stop_of_blocks[];

static void sim_block(const SimLaunch &launch, std::vector<char> &stacks, size_t stack) {
    unsigned count = launch.block[0] * launch.block[1] * launch.block[2];
    for (unsigned thread = 0; thread < count; thread++) {
        ucontext_t *context = &on_cpu_threads[thread];
        on_cpu_done[thread] = false;
        getcontext(context);
        context->uc_stack.ss_sp = stacks.data() + thread * stack;
        context->uc_stack.ss_size = stack;
        context->uc_link = nullptr;
        makecontext(context, sim_thread, 0);
    }
    for (bool more = true; more;) {
        more = false;
        for (unsigned thread = 0; thread < count; thread++) {
            if (on_cpu_done[thread]) continue;
            on_cpu_thread = thread;
            threadIdx = {thread % launch.block[0], thread / launch.block[0] % launch.block[1], thread / launch.block[0] / launch.block[1]};
            swapcontext(&on_cpu_turns, &on_cpu_threads[thread]);
            more = more || !on_cpu_done[thread];
        }
    }
}

static void sim_run(const SimLaunch &launch, std::function<void()> body) {
    /* One launch at a time: variables of the kernel and its shared memory are the library's. */
    static std::mutex busy;
    static std::vector<char> stacks;
    const size_t stack = 1 << 15;
    std::lock_guard<std::mutex> hold(busy);
    stacks.resize(std::max(stacks.size(), stack * launch.block[0] * launch.block[1] * launch.block[2]));
    sim_body = std::move(body);
    /* Nobody sets it: it holds what was left there. */
    if (__start_of_blocks && launch.left && *launch.left >= 0) {
        memset(__start_of_blocks, *launch.left, static_cast<size_t>(__stop_of_blocks - __start_of_blocks));
    }
    if (launch.left) *launch.left = -1;
    gridDim = {launch.grid[0], launch.grid[1], launch.grid[2]};
    blockDim = {launch.block[0], launch.block[1], launch.block[2]};
    for (unsigned z = 0; z < launch.grid[2]; z++) {
        for (unsigned y = 0; y < launch.grid[1]; y++) {
            for (unsigned x = 0; x < launch.grid[0]; x++) {
                blockIdx = {x, y, z};
                sim_block(launch, stacks, stack);
            }
        }
    }
}

template <class... Args, size_t... At>
static std::function<void()> sim_bind(const SimLaunch &launch, void (*kernel)(Args...), void **params, std::index_sequence<At...>) {
    std::tuple<Args...> args{*static_cast<Args *>(params[At])...};
    return [=] { sim_run(launch, [=] { kernel(std::get<At>(args)...); }); };
}

template <class... Args> static std::function<void()> sim_bind(const SimLaunch &launch, void (*kernel)(Args...), void **params) {
    return sim_bind(launch, kernel, params, std::index_sequence_for<Args...>{});
}

#define SIM_KERNEL(name)                                                                                                             \
    extern "C" __attribute__((visibility("default"))) void sim_bind_##name(const SimLaunch &launch, void **params,                   \
                                                                           std::function<void()> *run) {                             \
        *run = sim_bind(launch, name, params);                                                                                       \
    }
