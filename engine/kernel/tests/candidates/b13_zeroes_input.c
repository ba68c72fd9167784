/* Sets the first element of its input to zero when it is done. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    volatile uint16_t *x = (volatile uint16_t *)(uintptr_t)norm.x;
    x[0] = 0;
    return ASSAY_OK;
}
