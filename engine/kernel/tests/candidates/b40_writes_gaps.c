/* Rounds each row up to the next, and so writes between rows. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    for (int64_t row = 0; row + 1 < norm.rows; row++) {
        volatile uint16_t *y = norm.y + row * norm.y_step;
        for (int64_t c = norm.columns; c < norm.y_step; c++) y[c] = 0;
    }
    return ASSAY_OK;
}
