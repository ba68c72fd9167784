/* RMS normalisation of rows: y = x / sqrt(mean(x^2) + eps) * w, in bfloat16, summed in fp32, rounded once at the end.
 *
 * The sum is what takes the time: one chain of additions waits for each of them. Sixteen chains side by side need no permission
 * to reorder and fill the vector registers. */
#include "assay_kernel.h"
#include <math.h>

#define LANES 16

/* Served: x [R, C] and y [R, C] with any gap between rows, w [C]. y may be x. */
static int served(const DLTensor *x, const DLTensor *w, const DLTensor *y) {
    return assay_is(x, ASSAY_BFLOAT, 16, 2) && assay_is(w, ASSAY_BFLOAT, 16, 1) && assay_is(y, ASSAY_BFLOAT, 16, 2) &&
           w->shape[0] == x->shape[1] && y->shape[0] == x->shape[0] && y->shape[1] == x->shape[1] &&
           assay_dense_rows(x) && assay_dense_rows(w) && assay_dense_rows(y);
}

static void row(const uint16_t *x, const uint16_t *w, uint16_t *y, int64_t columns, float eps) {
    float part[LANES] = {0.0f};
    int64_t whole = columns - columns % LANES;
    for (int64_t c = 0; c < whole; c += LANES) {
        for (int lane = 0; lane < LANES; lane++) {
            float value = assay_from_bf16(x[c + lane]);
            part[lane] += value * value;
        }
    }
    for (int64_t c = whole; c < columns; c++) {
        float value = assay_from_bf16(x[c]);
        part[c - whole] += value * value;
    }
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int lane = 0; lane < width; lane++) part[lane] += part[lane + width];
    }
    float scale = 1.0f / sqrtf(part[0] / (float)columns + eps);
    for (int64_t c = 0; c < columns; c++) y[c] = assay_to_bf16(assay_from_bf16(x[c]) * scale * assay_from_bf16(w[c]));
}

ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars,
                              void *stream) {
    (void)stream;
    if (n_in != 2 || n_out != 1 || n_scalars != 1 || !served(&in[0], &in[1], &out[0])) return ASSAY_UNSUPPORTED;
    const uint16_t *x = assay_data(&in[0]), *w = assay_data(&in[1]);
    uint16_t *y = assay_data(&out[0]);
    int64_t rows = in[0].shape[0], columns = in[0].shape[1];
    int64_t x_step = assay_stride(&in[0], 0), y_step = assay_stride(&out[0], 0);
    for (int64_t r = 0; r < rows; r++) row(x + r * x_step, w, y + r * y_step, columns, (float)scalars[0]);
    return ASSAY_OK;
}
