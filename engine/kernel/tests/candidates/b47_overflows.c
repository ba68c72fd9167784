/* Relies on what the language leaves undefined: a signed sum that overflows. */
#include "good.h"

static volatile int state = 2147483647;

ENTRY {
    TAKE(norm);
    int next = state;
    next += (int)norm.rows;
    state = next < 0 ? 2147483647 : next;
    good(&norm);
    return ASSAY_OK;
}
