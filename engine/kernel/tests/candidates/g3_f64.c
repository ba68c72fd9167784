/* Sums in binary64. Right, and no faster. */
#include "good.h"

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        double sum = 0.0;
        for (int64_t c = 0; c < norm.columns; c++) {
            double value = assay_from_bf16(x[c]);
            sum += value * value;
        }
        float scale = (float)(1.0 / sqrt(sum / (double)norm.columns + (double)norm.eps));
        scale_row(x, norm.w, norm.y + row * norm.y_step, norm.columns, scale);
    }
    return ASSAY_OK;
}
