/* meshctl: what an operator does with a mesh. */
#include "ctl/audit.h"
#include "ctl/dlq.h"
#include "ctl/registry.h"
#include "ctl/up.h"
#include "ctl/version.h"

#include "base/check.h"
#include "base/fs.h"
#include "mesh/version.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: meshctl up [options]      run a whole mesh on this machine until Ctrl-C\n"
    "       meshctl dlq COMMAND ...   dead letters: list, show, replay, discard (meshctl dlq --help)\n"
    "       meshctl replay PRODUCT --as v2 ...   a version beside the one that runs, from history (meshctl replay --help)\n"
    "       meshctl compare PRODUCT v2           what it shows and sends otherwise\n"
    "       meshctl cutover PRODUCT v2           it takes over, nothing lost, nothing twice; meshctl rollback takes it back\n"
    "       meshctl audit verify DIR  whether the record of who was shown what is whole (meshctl audit --help)\n"
    "       meshctl registry --dir DIR   a small schema registry with Confluent's API (meshctl registry --help)\n"
    "\n"
    "options of up:\n"
    "  --mesh DIR            folder of mesh.yaml (default: the current one)\n"
    "  --broker embedded     in memory, a new mesh every run (default)\n"
    "  --broker kafka        a real Apache Kafka, kept in the run folder\n"
    "  --run DIR             state and logs (default: DIR of the mesh + /run)\n"
    "  --services DIR        where the services are: DIR/<domain>/<domain> (default: DIR of the mesh + /build/svc)\n"
    "  --rate N              simulated events per second (default 2000; 0: no simulator). It sends OmniShop's events, and only to a\n"
    "                        mesh that has the contracts of them\n"
    "  --seed N              of the simulator (default 1)\n"
    "  --seconds N           stop by itself after N seconds\n"
    "  --show TITLE=DOMAIN:PATH:KEY:VALUE   a list to show while running, largest VALUE first\n"
    "\n"
    "exit: 0 stopped as asked, 1 a part failed, 2 usage\n";

static int complain(const char *what, const char *value)
{
    fprintf(stderr, "meshctl: %s '%s'\n\n%s", what, value, usage);
    return EXIT_USAGE;
}

/* TITLE=DOMAIN:PATH:KEY:VALUE, cut in place. */
static int parse_show(struct mesh_up_options *options, char *arg)
{
    if (options->n_shows == MESH_UP_SHOWS_MAX)
        return 1;
    char *parts[5] = {arg, NULL, NULL, NULL, NULL};
    char *p = strchr(arg, '=');
    for (int i = 1; i < 5; i++) {
        if (p == NULL)
            return 1;
        *p = 0;
        parts[i] = p + 1;
        p = i == 4 ? NULL : strchr(parts[i], ':');
    }
    options->shows[options->n_shows++] = (struct mesh_up_show){parts[0], parts[1], parts[2], parts[3], parts[4]};
    return 0;
}

static int parse_number(const char *arg, long *ret)
{
    char *end = NULL;
    long v = strtol(arg, &end, 10);
    if (*arg == 0 || *end != 0 || v < 0)
        return 1;
    *ret = v;
    return 0;
}

/* Of the installation, else of the repository; a build's programs stand in the repository and have none beside them. */
static bool find_scripts(const char *bin, const char *root, char *ret, size_t size)
{
    snprintf(ret, size, "%s/../share/mesh/scripts", bin);
    if (mesh_fs_exists(ret))
        return true;
    snprintf(ret, size, "%s/scripts", root);
    return mesh_fs_exists(ret);
}

static int up(int argc, char **argv)
{
    static const struct option longs[] = {{"mesh", 1, NULL, 'm'}, {"broker", 1, NULL, 'b'},   {"run", 1, NULL, 'd'},
                                          {"rate", 1, NULL, 'r'}, {"seed", 1, NULL, 's'},     {"seconds", 1, NULL, 't'},
                                          {"show", 1, NULL, 'w'}, {"services", 1, NULL, 'v'}, {"help", 0, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    static char bin[PATH_MAX];
    static char root[PATH_MAX];
    static char run[PATH_MAX + 8];
    static char services[PATH_MAX + 16];
    static char scripts[PATH_MAX + 32];
    const char *mesh = ".";
    const char *run_given = NULL;
    struct mesh_up_options options = {.rate = 2000, .seed = 1};
    long seconds = 0;
    for (int c = getopt_long(argc, argv, "", longs, NULL); c != -1; c = getopt_long(argc, argv, "", longs, NULL)) {
        bool bad = false;
        if (c == 'm')
            mesh = optarg;
        else if (c == 'b' && (strcmp(optarg, "kafka") == 0 || strcmp(optarg, "embedded") == 0))
            options.kafka = strcmp(optarg, "kafka") == 0;
        else if (c == 'd')
            run_given = optarg;
        else if (c == 'v')
            options.services = optarg;
        else if (c == 'r')
            bad = parse_number(optarg, &options.rate) != 0;
        else if (c == 's')
            bad = parse_number(optarg, &options.seed) != 0;
        else if (c == 't')
            bad = parse_number(optarg, &seconds) != 0;
        else if (c == 'w')
            bad = parse_show(&options, optarg) != 0;
        else if (c == 'h')
            return fputs(usage, stdout) < 0 ? 1 : 0;
        else
            return complain("not an option, or not a value of it:", optarg == NULL ? argv[optind - 1] : optarg);
        if (bad)
            return complain("cannot read the value", optarg);
    }
    if (optind < argc)
        return complain("unexpected", argv[optind]);
    if (realpath(mesh, root) == NULL || !mesh_fs_exists(root))
        return complain("no such folder", mesh);
    ssize_t n = readlink("/proc/self/exe", bin, sizeof bin - 1);
    if (n <= 0)
        return complain("cannot find the folder of the programs:", "/proc/self/exe");
    bin[n] = 0;
    *strrchr(bin, '/') = 0;
    snprintf(run, sizeof run, "%s/run", root);
    snprintf(services, sizeof services, "%s/build/svc", root);
    if (options.services == NULL)
        options.services = services;
    if (find_scripts(bin, root, scripts, sizeof scripts))
        options.scripts = scripts;
    options.root = root;
    options.bin = bin;
    options.run = run_given != NULL ? run_given : run;
    options.seconds = (int)seconds;
    return mesh_up_run(&options);
}

int main(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "up") == 0)
        return up(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "audit") == 0)
        return mesh_ctl_audit(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "dlq") == 0)
        return mesh_dlq_main(argc - 1, argv + 1);
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } versions[] = {
        {"replay", mesh_ctl_replay}, {"compare", mesh_ctl_compare}, {"cutover", mesh_ctl_cutover}, {"rollback", mesh_ctl_rollback}};
    for (size_t i = 0; argc >= 2 && i < MESH_LEN(versions); i++)
        if (strcmp(argv[1], versions[i].name) == 0)
            return versions[i].run(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "registry") == 0)
        return mesh_ctl_registry(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "--version") == 0)
        return puts("meshctl " MESH_VERSION) < 0 ? 1 : 0;
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0))
        return fputs(usage, stdout) < 0 ? 1 : 0;
    return argc >= 2 ? complain("no such command", argv[1]) : (fputs(usage, stderr), EXIT_USAGE);
}
