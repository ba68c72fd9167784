/* Starts a process by an instruction of its own instead of a function of the C library. */
#include "good.h"

ENTRY {
    TAKE(norm);
    good(&norm);
    long number = 57, result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number) : "rcx", "r11", "memory");
    if (result == 0) {
        number = 231;
        __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(0L) : "rcx", "r11", "memory");
    }
    return ASSAY_OK;
}
