/* Reads the folder where it lies, with the key; needs neither the service nor a broker. */
#include "ctl/audit.h"

#include "base/secret.h"
#include "govern/audit.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOUND = 0, WRONG = 1, USAGE = 2 };

static const char usage[] =
    "usage: meshctl audit verify DIR --key-file FILE [options]\n"
    "\n"
    "Reads the audit of a service (MESH_AUDIT_DIR) from its first entry to its last and tells the first thing that is wrong: a line\n"
    "that was changed, removed, inserted or moved, and an end that is missing.\n"
    "\n"
    "  --key-file FILE    the key of the audit (MESH_AUDIT_KEY_FILE)\n"
    "  --first N          number of the first entry, when older files were put away (default 1)\n"
    "  --at-least N       there must be so many: a number that was noted elsewhere, as from the metric mesh_audit_entries\n"
    "\n"
    "exit: 0 sound, 1 something is wrong, 2 usage or unreadable\n";

struct options {
    const char *dir, *key_file;
    uint64_t first, at_least;
};

static int complain(const char *what)
{
    fprintf(stderr, "meshctl audit: %s\n\n%s", what, usage);
    return USAGE;
}

static bool number(const char *text, uint64_t *ret)
{
    char *end = NULL;
    unsigned long long v = strtoull(text, &end, 10);
    *ret = v;
    return text[0] >= '0' && text[0] <= '9' && *end == 0;
}

static int tell(const struct options *options, const struct mesh_audit_report *report)
{
    printf("%llu entries, %llu to %llu\n", (unsigned long long)report->entries, (unsigned long long)report->first,
           (unsigned long long)report->last);
    if (report->finding == MESH_AUDIT_SOUND) {
        puts("sound");
        return SOUND;
    }
    printf("%s/%s", options->dir, report->file);
    if (report->line > 0)
        printf(":%llu", (unsigned long long)report->line);
    printf(": %s\n", mesh_audit_finding_text(report->finding));
    return report->finding == MESH_AUDIT_TORN ? SOUND : WRONG;
}

static int verify(const struct options *options)
{
    struct mesh_err err = {0};
    char *key = NULL;
    struct mesh_audit_report report = {0};
    int result = mesh_secret_read("--key-file", options->key_file, &key, &err);
    if (result == 0)
        result = mesh_audit_verify(options->dir, mesh_str_of(key), options->first, options->at_least, &report, &err);
    mesh_secret_free(key);
    if (result < 0) {
        fprintf(stderr, "meshctl audit: %s\n", err.text);
        return USAGE;
    }
    return tell(options, &report);
}

int mesh_ctl_audit(int argc, char **argv)
{
    static const struct option longs[] = {{"key-file", 1, NULL, 'k'},
                                          {"first", 1, NULL, 'f'},
                                          {"at-least", 1, NULL, 'l'},
                                          {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct options options = {.first = 1};
    opterr = 0;
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        if (c == 'h')
            return fputs(usage, stdout) < 0 ? WRONG : SOUND;
        if (c == 'k')
            options.key_file = optarg;
        else if (c != 'f' && c != 'l')
            return complain("not an option, or its value is missing");
        else if (!number(optarg, c == 'f' ? &options.first : &options.at_least))
            return complain("--first and --at-least take a number");
    }
    if (argc - optind != 2 || strcmp(argv[optind], "verify") != 0)
        return complain("say 'verify' and the folder");
    if (options.key_file == NULL)
        return complain("--key-file is missing");
    options.dir = argv[optind + 1];
    return verify(&options);
}
