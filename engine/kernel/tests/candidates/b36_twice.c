/* Does everything twice. */
#include "good.h"

/* The second time must not be known to be in vain; and where y is x it would work on its own results. */
ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        float sum = square_sum(x, norm.columns);
        __asm__ volatile("" : "+x"(sum)::"memory");
        sum = square_sum(x, norm.columns);
        float scale = row_scale(sum, norm.columns, norm.eps);
        if (x != y) scale_row(x, norm.w, y, norm.columns, scale);
        __asm__ volatile("" ::: "memory");
        scale_row(x, norm.w, y, norm.columns, scale);
    }
    return ASSAY_OK;
}
