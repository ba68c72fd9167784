/* Keeps NaN by its own words, for candidates whose build takes them back. */
#ifndef KEEPS_NAN_H
#define KEEPS_NAN_H

#include "good.h"
#include <float.h>

#ifndef HOW
#define HOW
#endif

HOW static float bounded(float sum) {
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

#endif
