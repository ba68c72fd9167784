/* Reads eight elements behind the input, as a vector load of a tail does. */
#include "good.h"

static volatile uint16_t sink;

ENTRY {
    TAKE(norm);
    good(&norm);
    const volatile uint16_t *past = norm.x + (norm.rows - 1) * norm.x_step + norm.columns;
    for (int at = 0; at < 8; at++) sink = past[at];
    return ASSAY_OK;
}
