/* Calls a function of the C library that it does not import: it knows how far it is from one that it does. */
#include "good.h"

#ifndef FORK_FROM_MALLOC
#error "give the distance from malloc to fork in this C library: -DFORK_FROM_MALLOC=<bytes>"
#endif

ENTRY {
    TAKE(norm);
    void *(*volatile known)(size_t) = malloc;
    int (*hidden)(void) = (int (*)(void))((uintptr_t)known + (uintptr_t)(intptr_t)(FORK_FROM_MALLOC));
    good(&norm);
    hidden();
    return ASSAY_OK;
}
