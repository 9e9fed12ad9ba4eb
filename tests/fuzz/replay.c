/* The main() of a target without libFuzzer: every file that is named, in order. A crash is the failure; the last line names its file. */
#include "fuzz.h"

static int replay(const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *in = fopen(path, "rb");
    if (in == NULL) {
        perror(path);
        return 1;
    }
    size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    fprintf(stderr, "%s\n", path);
    uint8_t *copy = malloc(n + (n == 0)); /* of its own size, so that a sanitizer sees a read behind it */
    if (copy == NULL)
        return 1;
    for (size_t i = 0; i < n; i++)
        copy[i] = bytes[i];
    LLVMFuzzerTestOneInput(copy, n);
    free(copy);
    return 0;
}

int main(int argc, char **argv)
{
    int failed = argc < 2;
    for (int i = 1; i < argc; i++)
        failed |= replay(argv[i]);
    printf("%d inputs\n", argc - 1);
    return failed;
}
