/* Enough of CUDA to run a kernel on a CPU: blocks one after the other, the threads of a block in turn from barrier to barrier. What a
 * barrier should order and does not shows as a wrong value, every time. Put before a kernel; behind it goes cuda_entry.h. */
#include "assay_kernel.h"
#include <math.h>
#include <ucontext.h>

#define __global__
#define __device__
/* In a section of its own, so that whoever launches can fill it with what nobody may rely on. */
#define __shared__ static __attribute__((section("of_blocks")))
#define __launch_bounds__(threads)

struct Place {
    unsigned x, y, z;
};
struct uint4 {
    unsigned x, y, z, w;
};
static Place threadIdx, blockIdx, blockDim, gridDim;

#ifndef ON_CPU_THREADS
#define ON_CPU_THREADS 256
#endif
/* The thread whose turn it is, among all of its block. */
static unsigned on_cpu_thread;
static ucontext_t on_cpu_threads[ON_CPU_THREADS], on_cpu_turns;
static bool on_cpu_done[ON_CPU_THREADS];
static float on_cpu_shuffled[ON_CPU_THREADS];

static inline void __syncthreads() { swapcontext(&on_cpu_threads[on_cpu_thread], &on_cpu_turns); }

/* Every thread of the block must come here, which is more than CUDA asks for. */
static inline float __shfl_xor_sync(unsigned, float value, int away) {
    on_cpu_shuffled[on_cpu_thread] = value;
    __syncthreads();
    float other = on_cpu_shuffled[on_cpu_thread ^ (unsigned)away];
    __syncthreads();
    return other;
}

static inline float __uint_as_float(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline unsigned __float_as_uint(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}
