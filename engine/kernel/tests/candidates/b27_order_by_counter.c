/* Begins each sum where a counter points, as an atomic sum of many threads would: right, and never the same bits. */
#include "good.h"

static int64_t counter;

ENTRY {
    TAKE(norm);
    counter += 1;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        int64_t start = counter * 577 % (norm.columns > 0 ? norm.columns : 1);
        float sum = 0.0f;
        for (int64_t at = 0; at < norm.columns; at++) {
            float value = assay_from_bf16(x[(start + at) % norm.columns]);
            sum += value * value;
        }
        float scale = row_scale(sum, norm.columns, norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
