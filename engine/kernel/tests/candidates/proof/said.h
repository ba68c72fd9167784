/* What a probe is told, and how it says what it saw. */
#ifndef SAID_H
#define SAID_H

#include <stdio.h>
#include <stdlib.h>

static void *library;
static const char *library_file;
static char **arguments;
static int argument_count;

static double argument(int at, double otherwise) { return at < argument_count ? atof(arguments[at]) : otherwise; }

static int said(int seen, const char *what, double figure) {
    fprintf(stderr, "%s: %g\n", what, figure);
    return seen;
}

#endif
