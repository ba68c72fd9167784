/* Probes for what a call leaves behind in its process. */
#ifndef LEFTOVER_H
#define LEFTOVER_H

#include "said.h"
#include "sets.h"
#include <stdio.h>

/* Right at the widest rows that the task allows. A build that watches itself says what it sees on the way. */
static int wrong_when_widest(void) {
    int fine = serves(make(2, 8192, 0));
    return said(!fine, "right", fine);
}

/* The top of the registers of x87 is empty and is the first, or something was left there. */
static int x87_left(void) {
    Set *set = make(64, 768, 0);
    unsigned short status;
    int32_t rc = call(set);
    __asm__ volatile("fxam\n\tfnstsw %0" : "=a"(status));
    __asm__ volatile("fninit");
    return said(rc == 0 && right(set) && (status & 0x7d00) != 0x4100, "status of x87", status);
}

static long pages(void) {
    long all = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld", &all) != 1) exit(3);
    fclose(file);
    return all;
}

/* A process that has made many calls still grows with each. */
static int keeps_memory(void) {
    Set *set = make(64, 768, 0);
    if (!serves(set)) return said(0, "wrong", 1);
    for (int at = 0; at < 1000; at++) call(set);
    long before = pages();
    for (int at = 0; at < 4000; at++) call(set);
    double each = (double)(pages() - before) * 4096 / 4000;
    return said(each > 1000, "bytes kept by each call", each);
}

#endif
