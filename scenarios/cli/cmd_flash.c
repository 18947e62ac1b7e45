/* otabench flash: a flash image for human eyes. */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "flash_emu/inspect.h"
#include "mock_cloud/packages/packages.h"
#include "scenarios/cli/cli.h"
#include "scenarios/engine/scenario.h"
#include "sim_device/store/kv.h"

static const char help[] =
    "usage: otabench flash info FILE [option...]\n"
    "       otabench flash map FILE [option...]\n"
    "       otabench flash dump FILE --addr N --len N [option...]\n"
    "       otabench flash diff FILE FILE2 [option...]\n"
    "\n"
    "Looks into a flash image, as replay --flash-out saves it. Beside FILE there may be FILE.meta\n"
    "with wear and cut marks.\n"
    "\n"
    "  info   partitions, what the device remembers, the stored package, wear\n"
    "  map    drawings of content and wear\n"
    "  dump   bytes, in hex\n"
    "  diff   where two images differ\n"
    "\n"
    "  --scenario FILE  partitions and configuration of its device (default: that of a scenario\n"
    "                   that says nothing about it)\n"
    "  --chip NAME      flash chip when there is no FILE.meta (otabench list --chips)\n"
    "  --addr N         first byte; decimal or 0x...\n"
    "  --len N          bytes (default 256)\n"
    "\n"
    "examples:\n"
    "  otabench replay 'cms/a-differential-upgrade-runs-clean#1@40t3' --flash-out flash.bin\n"
    "  otabench flash info flash.bin \\\n"
    "      --scenario scenarios/library/cms/a-differential-upgrade-runs-clean.json\n"
    "  otabench flash dump flash.bin --addr 0x41000 --len 512\n";

#define TEXT_MAX   ((size_t)64 << 20)
#define RANGES_MAX 200 /* lines of a diff */

struct view {
    struct device_config device;
    struct nor *nor, *other; /* other: diff */
    uint64_t addr, len_bytes;
    bool has_addr;
};

/* Partition table for the drawings; null when it does not belong to this chip. */
static const struct partition_table *table_of(const struct view *v)
{
    return partition_check(&v->device.partitions, nor_geo(v->nor), NULL) == 0
               ? &v->device.partitions
               : NULL;
}

static int put_partitions(struct buf *out, const struct partition_table *t)
{
    int rc = buf_text(out, "\npartitions:\n");
    for (size_t i = 0; i < t->count && rc == 0; i++)
        rc = buf_printf(out, "  0x%06" PRIx32 "  %8" PRIu32 " bytes  %s\n", t->part[i].offset,
                        t->part[i].size_bytes, t->part[i].name);
    return rc;
}

static int put_state(struct buf *out, const struct view *v, const struct partition *download)
{
    struct state_layout layout;
    device_state_layout(&v->device, &layout);
    int rc = buf_text(out, "\nrecord and journal:\n");
    if (rc == 0 && state_layout_check(&layout, NULL) != 0)
        return buf_text(out, "the areas of this configuration do not fit the download partition\n");
    return rc == 0 ? state_describe(nor_peek(v->nor) + download->offset, &layout, out) : rc;
}

static int put_package(struct buf *out, const struct view *v, const struct partition *download)
{
    struct package_head head;
    struct err err = {.text = ""};
    const uint8_t *at = nor_peek(v->nor) + download->offset;
    int rc = buf_text(out, "\npackage area:\n");
    if (rc != 0)
        return rc;
    if (download->size_bytes < PACKAGE_HEAD_BYTES || package_head_decode(&head, at, &err) != 0)
        return buf_printf(out, "no package head (%s)\n", err.text);
    if (head.total_bytes > download->size_bytes)
        return buf_printf(out, "head of a package of %" PRIu32 " bytes, more than the partition\n",
                          head.total_bytes);
    rc = package_describe(at, head.total_bytes, out, &err);
    return rc == ERR_FORMAT ? buf_printf(out, "head of a package %.31s to %.31s, not whole: %s\n",
                                         head.from_version, head.to_version, err.text)
                            : rc;
}

static int put_slots(struct buf *out, const struct view *v, const struct partition_table *t)
{
    int rc = buf_text(out, "\nboot record:\n");
    if (rc == 0)
        rc = slots_describe(nor_peek(v->nor), nor_geo(v->nor), t, out);
    if (rc == 0 && partition_find(t, KV_PARTITION) != NULL) {
        rc = buf_text(out, "\nkey-value store:\n");
        rc = rc == 0 ? kv_describe(nor_peek(v->nor), nor_geo(v->nor), t, out) : rc;
    }
    return rc;
}

static int put_wear(struct buf *out, const struct nor *n)
{
    const struct nor_geometry *g = nor_geo(n);
    uint64_t total = 0;
    uint32_t most = 0, most_addr = 0;
    for (uint32_t a = 0; a < g->size_bytes; a += g->erase_bytes) {
        uint32_t wear = nor_wear(n, a);
        total += wear;
        if (wear > most) {
            most = wear;
            most_addr = a;
        }
    }
    int rc = buf_printf(out, "\nwear: %" PRIu64 " erases", total);
    if (rc == 0 && most > 0)
        rc = buf_printf(out,
                        ", most in the unit at 0x%" PRIx32 ": %" PRIu32 " of %" PRIu32 " promised",
                        most_addr, most, g->endurance);
    if (rc == 0)
        rc = buf_printf(out, "; %" PRIu32 " weak cells\n", nor_weak_cells(n, 0, g->size_bytes));
    return rc;
}

static int flash_info(struct view *v, struct buf *out)
{
    const struct nor_geometry *g = nor_geo(v->nor);
    const struct partition_table *t = table_of(v);
    const struct nor_geometry *known = nor_geometry_find(g->name);
    int rc = buf_printf(out, "chip %s%s%s\n%" PRIu64 " operations in its life\n", g->name,
                        known == NULL ? "" : ": ", known == NULL ? "" : known->text,
                        nor_op_count(v->nor));
    if (rc == 0 && t == NULL)
        return buf_text(out, "the partitions of this configuration do not fit the chip: "
                             "--scenario names the right one\n");
    if (rc == 0)
        rc = put_partitions(out, t);
    const struct partition *download = partition_find(t, "download");
    if (rc == 0 && download != NULL)
        rc = put_state(out, v, download);
    if (rc == 0 && download != NULL)
        rc = put_package(out, v, download);
    if (rc == 0 && partition_find(t, SLOTS_PARTITION) != NULL)
        rc = put_slots(out, v, t);
    return rc == 0 ? put_wear(out, v->nor) : rc;
}

static int flash_maps(struct view *v, struct buf *out)
{
    int rc = flash_map(out, v->nor, table_of(v));
    if (rc == 0)
        rc = buf_text(out, "\n");
    return rc == 0 ? flash_wear_map(out, v->nor, table_of(v)) : rc;
}

static int flash_bytes(struct view *v, struct buf *out)
{
    return flash_dump(out, v->nor, (uint32_t)v->addr, (uint32_t)v->len_bytes);
}

static int flash_compare(struct view *v, struct buf *out)
{
    uint64_t differing = 0;
    int rc = flash_diff(out, v->nor, v->other, table_of(v), RANGES_MAX, &differing);
    return rc == 0 && differing == 0 ? buf_text(out, "the images are equal\n") : rc;
}

static const struct {
    const char *name;
    int files;
    int (*show)(struct view *v, struct buf *out);
} actions[] = {
    {"info", 1, flash_info},
    {"map", 1, flash_maps},
    {"dump", 1, flash_bytes},
    {"diff", 2, flash_compare},
};

static int load_device(struct device_config *d, const char *path, struct err *err)
{
    struct scenario *s = malloc(sizeof *s);
    if (s == NULL)
        return err_set(err, ERR_NOMEM, "no memory for the scenario");
    static const char plain[] = "{\"otabench\": 1, \"text\": \"-\"}";
    int rc = path != NULL ? scenario_load(s, path, err)
                          : scenario_parse(s, plain, strlen(plain), "plain", err);
    if (rc == 0)
        *d = s->device;
    free(s);
    return rc;
}

/* Opens the files, runs the action, prints. */
static int show(struct view *v, size_t action, char *const *paths, const struct nor_geometry *geo)
{
    struct err err = {.text = ""};
    struct buf out;
    int code = EXIT_PASSED;
    v->nor = nor_view(geo, paths[0], &err);
    if (v->nor != NULL && actions[action].files == 2)
        v->other = nor_view(geo, paths[1], &err);
    bool open = v->nor != NULL && (actions[action].files == 1 || v->other != NULL);
    buf_init(&out, TEXT_MAX);
    if (!open)
        code = cli_fail("flash", EXIT_INCONCLUSIVE, "%s", err.text);
    else if (actions[action].show(v, &out) != 0)
        code = cli_fail("flash", EXIT_USAGE,
                        "%s: the range lies outside the chip, or the images differ in size",
                        actions[action].name);
    if (code == EXIT_PASSED && out.len_bytes > 0)
        (void)fwrite(out.data, 1, out.len_bytes, stdout);
    buf_free(&out);
    nor_free(v->other);
    nor_free(v->nor);
    return code;
}

int cmd_flash(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, 'h'},       {"scenario", required_argument, NULL, 's'},
        {"chip", required_argument, NULL, 'c'}, {"addr", required_argument, NULL, 'a'},
        {"len", required_argument, NULL, 'l'},  {0},
    };
    struct view v = {.len_bytes = 256};
    struct err err = {.text = ""};
    const char *chip = NULL, *scenario = NULL;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;)
        switch (c) {
        case 'h':
            (void)fputs(help, stdout);
            return EXIT_PASSED;
        case 's':
            scenario = optarg;
            break;
        case 'c':
            chip = optarg;
            break;
        case 'a':
            v.has_addr = cli_number(optarg, 0, UINT32_MAX, &v.addr);
            if (!v.has_addr)
                return cli_usage("flash", "--addr %s: must be a number below 2^32", optarg);
            break;
        case 'l':
            if (!cli_number(optarg, 1, UINT32_MAX, &v.len_bytes))
                return cli_usage("flash", "--len %s: must be a number from 1 to 2^32 - 1", optarg);
            break;
        default:
            return cli_bad_option("flash", argv);
        }
    if (optind == argc)
        return cli_usage("flash", "what to do? info, map, dump or diff");
    size_t action = 0, n = sizeof actions / sizeof actions[0];
    while (action < n && strcmp(actions[action].name, argv[optind]) != 0)
        action++;
    if (action == n)
        return cli_usage("flash", "\"%s\" is not info, map, dump or diff", argv[optind]);
    if (argc - optind - 1 != actions[action].files)
        return cli_usage("flash", "%s takes %d file%s", actions[action].name, actions[action].files,
                         actions[action].files == 1 ? "" : "s");
    if (actions[action].show == flash_bytes && !v.has_addr)
        return cli_usage("flash", "dump needs --addr");
    if (load_device(&v.device, scenario, &err) != 0)
        return cli_usage("flash", "%s", err.text);
    const struct nor_geometry *geo = chip == NULL ? &v.device.geometry : nor_geometry_find(chip);
    if (geo == NULL)
        return cli_usage("flash", "there is no chip \"%s\"; see otabench list --chips", chip);
    return show(&v, action, argv + optind + 1, geo);
}
