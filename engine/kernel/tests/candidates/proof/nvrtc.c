/* `nvrtc LIBRARY SOURCE [OPTION...]` compiles CUDA C++ and prints PTX. It needs no GPU and no driver. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *library;

static void find(const char *name, void *to) {
    void *found = dlsym(library, name);
    if (!found) {
        fprintf(stderr, "no `%s`\n", name);
        exit(3);
    }
    memcpy(to, &found, sizeof found);
}

int main(int count, char **words) {
    if (count < 3 || !(library = dlopen(words[1], RTLD_NOW))) {
        fprintf(stderr, "%s\n", count < 3 ? "nvrtc LIBRARY SOURCE [OPTION...]" : dlerror());
        return 3;
    }
    int (*create)(void **, const char *, const char *, int, const char *const *, const char *const *);
    int (*compile)(void *, int, const char *const *);
    int (*size)(void *, size_t *), (*log_size)(void *, size_t *), (*take)(void *, char *), (*take_log)(void *, char *);
    find("nvrtcCreateProgram", &create), find("nvrtcCompileProgram", &compile);
    find("nvrtcGetPTXSize", &size), find("nvrtcGetPTX", &take);
    find("nvrtcGetProgramLogSize", &log_size), find("nvrtcGetProgramLog", &take_log);
    static char source[1 << 20];
    FILE *file = fopen(words[2], "r");
    if (!file || fread(source, 1, sizeof source - 1, file) == 0) return 3;
    void *program = NULL;
    if (create(&program, source, words[2], 0, NULL, NULL)) return 3;
    int failed = compile(program, count - 3, (const char *const *)(words + 3));
    size_t length = 0;
    if (log_size(program, &length) == 0 && length > 1) {
        char *log = malloc(length);
        take_log(program, log);
        fprintf(stderr, "%s\n", log);
    }
    if (failed || size(program, &length)) return 1;
    char *text = malloc(length);
    take(program, text);
    return fputs(text, stdout) < 0;
}
