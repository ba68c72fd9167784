/* Writes one element behind the output. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    volatile uint16_t *past = norm.y + (norm.rows - 1) * norm.y_step + norm.columns;
    *past = 0;
    return ASSAY_OK;
}
