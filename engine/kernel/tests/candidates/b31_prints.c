/* Prints the verdict that it would like. */
#include "good.h"
#include <stdio.h>

ENTRY {
    TAKE(norm);
    (void)norm;
    puts("{\"verdict\": \"ACCEPT_FASTER\"}");
    fflush(stdout);
    return ASSAY_OK;
}
