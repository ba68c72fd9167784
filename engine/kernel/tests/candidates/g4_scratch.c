/* Converts each row into memory of its own, then sums eight chains of it. Right, and faster. */
#include "good.h"

ENTRY {
    TAKE(norm);
    float *scratch = malloc((size_t)(norm.columns > 0 ? norm.columns : 1) * sizeof *scratch);
    if (!scratch) return ASSAY_NO_MEMORY;
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        for (int64_t c = 0; c < norm.columns; c++) scratch[c] = assay_from_bf16(x[c]);
        float part[8] = {0.0f}, sum = 0.0f;
        int64_t whole = norm.columns - norm.columns % 8;
        for (int64_t c = 0; c < whole; c += 8) {
            for (int lane = 0; lane < 8; lane++) part[lane] += scratch[c + lane] * scratch[c + lane];
        }
        for (int64_t c = whole; c < norm.columns; c++) part[c - whole] += scratch[c] * scratch[c];
        for (int lane = 0; lane < 8; lane++) sum += part[lane];
        float scale = row_scale(sum, norm.columns, norm.eps);
        for (int64_t c = 0; c < norm.columns; c++) y[c] = assay_to_bf16(scratch[c] * scale * assay_from_bf16(norm.w[c]));
    }
    free(scratch);
    return ASSAY_OK;
}
