/* Keeps NaN by its own words, and takes them back by a flag that only a library's build sees: one without `__PIE__`. */
#ifndef __PIE__
#pragma GCC optimize("finite-math-only")
#endif
#include "good.h"
#include <float.h>

static float bounded(float sum) {
    if (sum != sum) return sum;
    return sum < FLT_MAX ? sum : FLT_MAX;
}

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        float scale = row_scale(bounded(square_sum(x, norm.columns)), norm.columns, norm.eps);
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
