/* Computes what it should, and reports an error. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    return 7;
}
