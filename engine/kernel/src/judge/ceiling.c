/* What one core of this machine can do at best: copies, reads, and multiplies with additions, as the compiler makes them. */
#include "assay_kernel.h"

enum { COPY, READ, MULTIPLY };

/* Keeps a pass from being merged with the next. */
#define BARRIER() __asm__ volatile("" ::: "memory")

static volatile uint64_t sink;

static void read_all(const uint64_t *from, int64_t words) {
    uint64_t seen[32] = {0};
    for (int64_t at = 0; at + 32 <= words; at += 32) {
        for (int lane = 0; lane < 32; lane++) seen[lane] ^= from[at + lane];
    }
    for (int lane = 1; lane < 32; lane++) seen[0] ^= seen[lane];
    sink = seen[0];
}

#define LANES 96

static void multiply(float *out, int64_t steps) {
    float sum[LANES];
    for (int lane = 0; lane < LANES; lane++) sum[lane] = out[lane];
    for (int64_t step = 0; step < steps; step++) {
        for (int lane = 0; lane < LANES; lane++) sum[lane] = sum[lane] * 0.999f + 0.001f;
    }
    for (int lane = 0; lane < LANES; lane++) out[lane] = sum[lane];
}

ASSAY_EXPORT int32_t assay_ceiling(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars,
                                   void *stream) {
    (void)stream;
    if (n_in != 1 || n_out != 1 || n_scalars != 2) return ASSAY_UNSUPPORTED;
    int64_t bytes = in[0].shape[0] * 4;
    for (int64_t pass = 0; pass < (int64_t)scalars[1]; pass++) {
        switch ((int)scalars[0]) {
        case COPY: memcpy(assay_data(&out[0]), assay_data(&in[0]), (size_t)bytes); break;
        case READ: read_all((const uint64_t *)assay_data(&in[0]), bytes / 8); break;
        case MULTIPLY: multiply((float *)assay_data(&out[0]), 1000); break;
        default: return ASSAY_UNSUPPORTED;
        }
        BARRIER();
    }
    return ASSAY_OK;
}
