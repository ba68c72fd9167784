/* Writes through a null pointer. */
#include "good.h"

static volatile uint16_t *volatile nowhere;

ENTRY {
    TAKE(norm);
    good(&norm);
    *nowhere = 1;
    return ASSAY_OK;
}
