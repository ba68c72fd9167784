/* Queries and keys: RMS norm over each head, then rotary position embedding. Element i turns with element i + D/2; a row of the
 * table holds D/2 cosines, then D/2 sines. Everything in fp32, rounded once at the end. */
#include "assay_kernel.h"
#include <math.h>

enum { Q, K, Q_WEIGHT, K_WEIGHT, COS_SIN, POSITIONS, INPUTS };

static int served_heads(const DLTensor *from, const DLTensor *to, const DLTensor *weight, int64_t tokens, int64_t width) {
    if (!assay_is(from, ASSAY_BFLOAT, 16, 3) || !assay_is(to, ASSAY_BFLOAT, 16, 3)) return 0;
    if (!assay_is(weight, ASSAY_BFLOAT, 16, 1)) return 0;
    for (int at = 0; at < 3; at++) {
        if (from->shape[at] != to->shape[at]) return 0;
    }
    return from->shape[0] == tokens && from->shape[2] == width && weight->shape[0] == width && assay_dense_rows(from) &&
           assay_dense_rows(to) && assay_dense(weight);
}

static int served(const DLTensor *in, const DLTensor *out) {
    if (in[Q].ndim != 3 || !assay_is(&in[COS_SIN], ASSAY_FLOAT, 32, 2) || !assay_is(&in[POSITIONS], ASSAY_INT, 64, 1)) return 0;
    int64_t tokens = in[Q].shape[0], width = in[Q].shape[2];
    if (!served_heads(&in[Q], &out[0], &in[Q_WEIGHT], tokens, width)) return 0;
    if (!served_heads(&in[K], &out[1], &in[K_WEIGHT], tokens, width)) return 0;
    return width % 2 == 0 && in[COS_SIN].shape[1] == width && in[POSITIONS].shape[0] == tokens && assay_dense(&in[COS_SIN]) &&
           assay_dense(&in[POSITIONS]);
}

static void head(const uint16_t *x, const uint16_t *weight, const float *turns, uint16_t *y, int64_t width, float eps) {
    float sum = 0.0f;
    for (int64_t at = 0; at < width; at++) {
        float value = assay_from_bf16(x[at]);
        sum += value * value;
    }
    float scale = 1.0f / sqrtf(sum / (float)width + eps);
    int64_t half = width / 2;
    for (int64_t at = 0; at < half; at++) {
        float a = assay_from_bf16(x[at]) * scale * assay_from_bf16(weight[at]);
        float b = assay_from_bf16(x[at + half]) * scale * assay_from_bf16(weight[at + half]);
        y[at] = assay_to_bf16(a * turns[at] - b * turns[at + half]);
        y[at + half] = assay_to_bf16(b * turns[at] + a * turns[at + half]);
    }
}

static void all(const DLTensor *from, const DLTensor *weight, const DLTensor *table, const int64_t *positions,
                DLTensor *to, float eps) {
    const uint16_t *x = assay_data(from), *w = assay_data(weight);
    const float *turns = assay_data(table);
    uint16_t *y = assay_data(to);
    int64_t width = from->shape[2];
    for (int64_t token = 0; token < from->shape[0]; token++) {
        for (int64_t at = 0; at < from->shape[1]; at++) {
            const uint16_t *row = x + token * assay_stride(from, 0) + at * assay_stride(from, 1);
            uint16_t *out = y + token * assay_stride(to, 0) + at * assay_stride(to, 1);
            head(row, w, turns + positions[token] * width, out, width, eps);
        }
    }
}

ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars,
                              void *stream) {
    (void)stream;
    if (n_in != INPUTS || n_out != 2 || n_scalars != 1 || !served(in, out)) return ASSAY_UNSUPPORTED;
    const int64_t *positions = assay_data(&in[POSITIONS]);
    for (int64_t token = 0; token < in[POSITIONS].shape[0]; token++) {
        if (positions[token] < 0 || positions[token] >= in[COS_SIN].shape[0]) return ASSAY_UNSUPPORTED;
    }
    all(&in[Q], &in[Q_WEIGHT], &in[COS_SIN], positions, &out[0], (float)scalars[0]);
    all(&in[K], &in[K_WEIGHT], &in[COS_SIN], positions, &out[1], (float)scalars[0]);
    return ASSAY_OK;
}
