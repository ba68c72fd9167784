/* Ends the process as if all were well. */
#include "good.h"

ENTRY {
    TAKE(norm);
    (void)norm;
    exit(0);
}
