/* A right implementation of the rmsnorm task for candidates to spoil, in one place each. */
#ifndef GOOD_H
#define GOOD_H

#include "assay_kernel.h"
#include <math.h>
#include <stdlib.h>

/* A call that is served. Steps are elements from row to row. */
typedef struct {
    const uint16_t *x, *w;
    uint16_t *y;
    int64_t rows, columns, x_step, y_step;
    float eps;
} Norm;

#define ENTRY                                                                                                              \
    ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars,           \
                                  int n_scalars, void *stream)
#define TAKE(norm)                                                                                                         \
    Norm norm;                                                                                                             \
    (void)stream;                                                                                                          \
    if (n_in != 2 || n_out != 1 || n_scalars != 1 || !served(&in[0], &in[1], &out[0])) return ASSAY_UNSUPPORTED;           \
    norm = taken(&in[0], &in[1], &out[0], scalars)

static inline int served(const DLTensor *x, const DLTensor *w, const DLTensor *y) {
    return assay_is(x, ASSAY_BFLOAT, 16, 2) && assay_is(w, ASSAY_BFLOAT, 16, 1) && assay_is(y, ASSAY_BFLOAT, 16, 2) &&
           w->shape[0] == x->shape[1] && y->shape[0] == x->shape[0] && y->shape[1] == x->shape[1] &&
           assay_dense_rows(x) && assay_dense_rows(w) && assay_dense_rows(y);
}

static inline Norm taken(const DLTensor *x, const DLTensor *w, const DLTensor *y, const double *scalars) {
    Norm norm = {assay_data(x), assay_data(w), assay_data(y),      x->shape[0],
                 x->shape[1],   assay_stride(x, 0), assay_stride(y, 0), (float)scalars[0]};
    return norm;
}

static inline float square_sum(const uint16_t *x, int64_t columns) {
    float sum = 0.0f;
    for (int64_t c = 0; c < columns; c++) {
        float value = assay_from_bf16(x[c]);
        sum += value * value;
    }
    return sum;
}

static inline float row_scale(float sum, int64_t columns, float eps) { return 1.0f / sqrtf(sum / (float)columns + eps); }

static inline void scale_row(const uint16_t *x, const uint16_t *w, uint16_t *y, int64_t columns, float scale) {
    for (int64_t c = 0; c < columns; c++) y[c] = assay_to_bf16(assay_from_bf16(x[c]) * scale * assay_from_bf16(w[c]));
}

static inline void good_row(const Norm *norm, int64_t row) {
    const uint16_t *x = norm->x + row * norm->x_step;
    float scale = row_scale(square_sum(x, norm->columns), norm->columns, norm->eps);
    scale_row(x, norm->w, norm->y + row * norm->y_step, norm->columns, scale);
}

static inline void good(const Norm *norm) {
    for (int64_t row = 0; row < norm->rows; row++) good_row(norm, row);
}

#endif
