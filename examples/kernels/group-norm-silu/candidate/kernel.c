/* Group norm over 32 groups of channels, then v * sigmoid(v), rounded once at the end.
 *
 * Two things take the time: chains of additions, which become sixteen side by side, and the exponential of the C library, a call
 * for each element. The one below is a polynomial that vectors can hold; its relative error is below 3e-7. */
#include "assay_kernel.h"
#include <math.h>

#define GROUPS 32
#define LANES 16

static int served(const DLTensor *x, const DLTensor *w, const DLTensor *b, const DLTensor *y) {
    if (!assay_is(x, ASSAY_BFLOAT, 16, 3) || !assay_is(y, ASSAY_BFLOAT, 16, 3)) return 0;
    for (int at = 0; at < 3; at++) {
        if (x->shape[at] != y->shape[at]) return 0;
    }
    return assay_is(w, ASSAY_BFLOAT, 16, 1) && assay_is(b, ASSAY_BFLOAT, 16, 1) && w->shape[0] == x->shape[1] &&
           b->shape[0] == x->shape[1] && x->shape[1] % GROUPS == 0 && assay_dense_rows(x) && assay_dense_rows(y) &&
           assay_dense(w) && assay_dense(b);
}

static float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t to_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* e^x for x not above zero: 2^k times a polynomial on [-ln 2 / 2, ln 2 / 2]. Below -104 it is as good as zero. Two powers of two,
 * as one alone cannot be as small as the smallest results. */
static inline float exp_below_zero(float x) {
    const float magic = 12582912.0f;
    x = x < -104.0f ? -104.0f : x;
    float shifted = x * 1.44269504f + magic;
    int32_t k = (int32_t)(to_bits(shifted) - to_bits(magic));
    float whole = shifted - magic;
    float r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
    float tail = 1.66666667e-1f + r * (4.16666667e-2f + r * (8.33333333e-3f + r * 1.38888889e-3f));
    float p = 1.0f + r * (1.0f + r * (0.5f + r * tail));
    int32_t half = k >> 1;
    return p * of_bits((uint32_t)(half + 127) << 23) * of_bits((uint32_t)(k - half + 127) << 23);
}

static inline float silu(float v) {
    float e = exp_below_zero(-fabsf(v));
    return v * ((v < 0.0f ? e : 1.0f) / (1.0f + e));
}

/* The sum of `(x - centre)^power` over a row, for a power of one or two. */
static inline float row_sum(const uint16_t *x, int64_t pixels, float centre, int square) {
    float part[LANES] = {0.0f}, sum = 0.0f;
    int64_t whole = pixels - pixels % LANES;
    for (int64_t s = 0; s < whole; s += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            float value = assay_from_bf16(x[s + lane]) - centre;
            part[lane] += square ? value * value : value;
        }
    }
    for (int64_t s = whole; s < pixels; s++) {
        float value = assay_from_bf16(x[s]) - centre;
        part[s - whole] += square ? value * value : value;
    }
    for (int lane = 0; lane < LANES; lane++) sum += part[lane];
    return sum;
}

/* `channels` rows of `pixels`, `step` elements apart in x and `y_step` in y. */
static void group(const uint16_t *x, const uint16_t *w, const uint16_t *b, uint16_t *y, int64_t channels, int64_t pixels,
                  int64_t step, int64_t y_step, double eps) {
    double sum = 0.0, squares = 0.0, n = (double)(channels * pixels);
    for (int64_t c = 0; c < channels; c++) sum += row_sum(x + c * step, pixels, 0.0f, 0);
    double mean = sum / n;
    for (int64_t c = 0; c < channels; c++) squares += row_sum(x + c * step, pixels, (float)mean, 1);
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
