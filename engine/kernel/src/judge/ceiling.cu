// What a device can do at best: copies, reads, and multiplies with additions of binary32. `ceiling.ptx` beside this is what NVRTC 13.0 makes of
// it with `--gpu-architecture=compute_75`, the oldest that it knows, so that every newer driver takes it.
#define THREADS 256
#define STEPS 1024

extern "C" __global__ void __launch_bounds__(THREADS) assay_copy(const uint4 *from, uint4 *to, long long count) {
    long long step = (long long)gridDim.x * THREADS;
    for (long long at = (long long)blockIdx.x * THREADS + threadIdx.x; at < count; at += step) to[at] = from[at];
}

// Memory serves reads alone faster than copies. Writes what nobody can foretell, once a thread.
extern "C" __global__ void __launch_bounds__(THREADS) assay_read(const uint4 *from, unsigned *to, long long count) {
    long long step = (long long)gridDim.x * THREADS, first = (long long)blockIdx.x * THREADS + threadIdx.x;
    unsigned all = 0;
    for (long long at = first; at < count; at += step) {
        uint4 words = from[at];
        all ^= words.x ^ words.y ^ words.z ^ words.w;
    }
    to[first] = all;
}

// Eight sums at a time hide the latency of each.
extern "C" __global__ void __launch_bounds__(THREADS) assay_multiply(float *to, float by) {
    float a = threadIdx.x, b = a + 1, c = a + 2, d = a + 3, e = a + 4, f = a + 5, g = a + 6, h = a + 7;
    for (int step = 0; step < STEPS; step++) {
        a = fmaf(a, by, by), b = fmaf(b, by, by), c = fmaf(c, by, by), d = fmaf(d, by, by);
        e = fmaf(e, by, by), f = fmaf(f, by, by), g = fmaf(g, by, by), h = fmaf(h, by, by);
    }
    to[(long long)blockIdx.x * THREADS + threadIdx.x] = a + b + c + d + e + f + g + h;
}
