/* Group norm over 32 groups of channels, then v * sigmoid(v). Mean and variance in two passes and in binary64, the rest in fp32,
 * rounded once at the end. */
#include "assay_kernel.h"
#include <math.h>

#define GROUPS 32

static int served(const DLTensor *x, const DLTensor *w, const DLTensor *b, const DLTensor *y) {
    if (!assay_is(x, ASSAY_BFLOAT, 16, 3) || !assay_is(y, ASSAY_BFLOAT, 16, 3)) return 0;
    for (int at = 0; at < 3; at++) {
        if (x->shape[at] != y->shape[at]) return 0;
    }
    return assay_is(w, ASSAY_BFLOAT, 16, 1) && assay_is(b, ASSAY_BFLOAT, 16, 1) && w->shape[0] == x->shape[1] &&
           b->shape[0] == x->shape[1] && x->shape[1] % GROUPS == 0 && assay_dense_rows(x) && assay_dense_rows(y) &&
           assay_dense(w) && assay_dense(b);
}

/* The exponential of a number that is not above zero: it cannot overflow, and small results keep their size. */
static float silu(float v) {
    float e = expf(-fabsf(v));
    return v * ((v < 0.0f ? e : 1.0f) / (1.0f + e));
}

/* `channels` rows of `pixels`, `step` elements apart in x and `y_step` in y. */
static void group(const uint16_t *x, const uint16_t *w, const uint16_t *b, uint16_t *y, int64_t channels, int64_t pixels,
                  int64_t step, int64_t y_step, double eps) {
    double sum = 0.0, squares = 0.0, n = (double)(channels * pixels);
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t s = 0; s < pixels; s++) sum += assay_from_bf16(x[c * step + s]);
    }
    double mean = sum / n;
    for (int64_t c = 0; c < channels; c++) {
        for (int64_t s = 0; s < pixels; s++) {
            double away = assay_from_bf16(x[c * step + s]) - mean;
            squares += away * away;
        }
    }
    float scale = (float)(1.0 / sqrt(squares / n + eps)), centre = (float)mean;
    for (int64_t c = 0; c < channels; c++) {
        float weight = assay_from_bf16(w[c]), bias = assay_from_bf16(b[c]);
        for (int64_t s = 0; s < pixels; s++) {
            float normed = (assay_from_bf16(x[c * step + s]) - centre) * scale;
            y[c * y_step + s] = assay_to_bf16(silu(normed * weight + bias));
        }
    }
}

ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars,
                              void *stream) {
    (void)stream;
    if (n_in != 3 || n_out != 1 || n_scalars != 1 || !served(&in[0], &in[1], &in[2], &out[0])) return ASSAY_UNSUPPORTED;
    const uint16_t *x = assay_data(&in[0]), *w = assay_data(&in[1]), *b = assay_data(&in[2]);
    uint16_t *y = assay_data(&out[0]);
    int64_t channels = in[0].shape[1] / GROUPS, pixels = in[0].shape[2];
    int64_t image = assay_stride(&in[0], 0), row = assay_stride(&in[0], 1);
    int64_t y_image = assay_stride(&out[0], 0), y_row = assay_stride(&out[0], 1);
    for (int64_t n = 0; n < in[0].shape[0]; n++) {
        for (int64_t g = 0; g < GROUPS; g++) {
            int64_t first = g * channels;
            group(x + n * image + first * row, w + first, b + first, y + n * y_image + first * y_row, channels, pixels, row, y_row,
                  scalars[0]);
        }
    }
    return ASSAY_OK;
}
