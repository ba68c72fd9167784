/* Nothing is wrong here: the linker is told `-ffast-math`, and adds code that changes the mode of floating point on loading. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    return ASSAY_OK;
}
