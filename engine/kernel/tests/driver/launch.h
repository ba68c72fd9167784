/* Between the simulated driver and the libraries of kernels. */
#pragma once
#include <functional>

struct SimLaunch {
    unsigned grid[3], block[3], shared;
    /* What every byte of shared memory holds, where a kernel has just filled it; -1 where it holds what was left there. */
    int *left;
};

/* `sim_bind_<kernel>`: copies the arguments, and gives what runs the launch. */
typedef void SimBind(const SimLaunch &launch, void **params, std::function<void()> *run);
