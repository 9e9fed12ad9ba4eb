/* What it costs to decode one record: the generated decoders against avro-c, on the same bytes, in one run.
 *
 *     decode DATUMS CONTRACT [RUNS]
 *
 * Four subjects take turns, run by run, over all datums of the file:
 *   wide    the decoder that meshgen emits for bench_wide, which reads all twelve fields
 *   few     the one for bench_fold, which reads three and skips nine
 *   avro    avro_value_read into one generic value that is used again, as its documentation advises
 *   avro12  the same, and the twelve fields fetched by index into a struct, which is what `wide` leaves behind
 * Each is called as an engine calls it: one datum at a time through a pointer, its result in one struct in the cache. Ours checks
 * bounds, ranges, UTF-8, NaN and trailing bytes; avro-c checks what it checks. Time is the clock of this thread's CPU over the
 * whole file, divided by the records; the loop and the load of the length count for all four. Nothing is pinned or warmed but by a
 * first run that does not count. Before anything is timed every field of every record is compared between ours and avro-c: `equal`
 * says the result.
 */
#include "bench.h"

#include "bench_wide.h"

#include <avro.h>
#include <string.h>

#define RUNS_MAX 64
#define FIELDS   12
#define SUBJECTS 4
#define PADDING  64

extern const struct mesh_product bench_fold_product;

struct datums {
    uint8_t *bytes; /* length (32 bits), datum, length, datum, ... */
    size_t n;
    int64_t records;
};

struct fetched {
    int64_t id, ts, user, item, qty, kind;
    double amount, price;
    const char *country, *page, *referrer;
    size_t country_n, page_n, referrer_n;
    bool mobile, referrer_set;
};

struct avro {
    avro_schema_t schema;
    avro_value_iface_t *iface;
    avro_value_t value;
    avro_reader_t reader;
};

static volatile uint64_t sink; /* what keeps the compiler from leaving work out */

static double thread_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *read_file(const char *path, size_t *ret_n)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL || fseek(file, 0, SEEK_END) != 0)
        bench_die("decode: cannot read %s", path);
    long n = ftell(file);
    rewind(file);
    char *bytes = n < 0 ? NULL : calloc(1, (size_t)n + PADDING);
    if (bytes == NULL || fread(bytes, 1, (size_t)n, file) != (size_t)n)
        bench_die("decode: cannot read %s", path);
    fclose(file);
    *ret_n = (size_t)n;
    return bytes;
}

static inline const uint8_t *next_datum(const uint8_t *p, uint32_t *ret_n)
{
    memcpy(ret_n, p, sizeof *ret_n);
    return p + sizeof *ret_n;
}

static uint64_t run_ours(const struct datums *d, const struct mesh_input *input)
{
    _Alignas(16) char record[MESH_RECORD_BYTES_MAX];
    uint64_t sum = 0;
    memset(record, 0, sizeof record);
    for (const uint8_t *p = d->bytes; p < d->bytes + d->n;) {
        uint32_t n;
        p = next_datum(p, &n);
        struct mesh_in in = {p, p + n, MESH_AVRO_OK};
        input->decode(&in, 0, record);
        if (in.fault != MESH_AVRO_OK || in.p != in.end)
            bench_die("decode: a record is not what its contract says: %s", mesh_avro_fault_code(in.fault));
        sum += (uint8_t)record[0];
        p += n;
    }
    return sum;
}

static void read_avro(struct avro *a, const uint8_t *p, uint32_t n)
{
    avro_reader_memory_set_source(a->reader, (const char *)p, n);
    if (avro_value_read(a->reader, &a->value) != 0)
        bench_die("decode: avro-c: %s", avro_strerror());
}

static uint64_t run_avro(const struct datums *d, struct avro *a)
{
    uint64_t sum = 0;
    for (const uint8_t *p = d->bytes; p < d->bytes + d->n;) {
        uint32_t n;
        p = next_datum(p, &n);
        read_avro(a, p, n);
        sum += n;
        p += n;
    }
    return sum;
}

static avro_value_t field(struct avro *a, size_t i)
{
    avro_value_t v;
    if (avro_value_get_by_index(&a->value, i, &v, NULL) != 0)
        bench_die("decode: avro-c: %s", avro_strerror());
    return v;
}

static int64_t get_long(struct avro *a, size_t i)
{
    int64_t x = 0;
    avro_value_t v = field(a, i);
    avro_value_get_long(&v, &x);
    return x;
}

static double get_double(struct avro *a, size_t i)
{
    double x = 0;
    avro_value_t v = field(a, i);
    avro_value_get_double(&v, &x);
    return x;
}

/* avro-c counts the NUL; here it is not part of the text. */
static const char *get_text(const avro_value_t *v, size_t *ret_n)
{
    const char *text = "";
    size_t n = 1;
    avro_value_get_string(v, &text, &n);
    *ret_n = n - 1;
    return text;
}

static void fetch(struct avro *a, struct fetched *r)
{
    r->id = get_long(a, 0);
    r->ts = get_long(a, 1);
    r->user = get_long(a, 2);
    r->item = get_long(a, 3);
    r->amount = get_double(a, 4);
    r->price = get_double(a, 5);
    avro_value_t v = field(a, 6);
    r->country = get_text(&v, &r->country_n);
    v = field(a, 7);
    r->page = get_text(&v, &r->page_n);
    int small = 0;
    v = field(a, 8);
    avro_value_get_enum(&v, &small);
    r->kind = small;
    v = field(a, 9);
    avro_value_get_boolean(&v, &small);
    r->mobile = small != 0;
    v = field(a, 10);
    avro_value_get_discriminant(&v, &small);
    r->referrer_set = small == 1;
    if (r->referrer_set) {
        avro_value_t branch;
        avro_value_get_current_branch(&v, &branch);
        r->referrer = get_text(&branch, &r->referrer_n);
    }
    int32_t qty = 0;
    v = field(a, 11);
    avro_value_get_int(&v, &qty);
    r->qty = qty;
}

static uint64_t run_avro_fetch(const struct datums *d, struct avro *a)
{
    uint64_t sum = 0;
    struct fetched r = {0};
    for (const uint8_t *p = d->bytes; p < d->bytes + d->n;) {
        uint32_t n;
        p = next_datum(p, &n);
        read_avro(a, p, n);
        fetch(a, &r);
        __asm__ volatile("" : : "r"(&r) : "memory");
        sum += (uint64_t)r.id;
        p += n;
    }
    return sum;
}

static bool same_text(struct mesh_str ours, const char *theirs, size_t n)
{
    return ours.n == n && (n == 0 || memcmp(ours.p, theirs, n) == 0);
}

static bool same_wide(const struct event_v1 *w, const struct fetched *r)
{
    return w->id == r->id && w->ts == r->ts * 1000 && w->user_id == r->user && w->item_id == r->item && w->qty == r->qty &&
           w->kind == r->kind && memcmp(&w->amount, &r->amount, sizeof r->amount) == 0 &&
           memcmp(&w->price, &r->price, sizeof r->price) == 0 && same_text(w->country, r->country, r->country_n) &&
           same_text(w->page, r->page, r->page_n) && w->mobile == r->mobile && w->referrer_set == r->referrer_set &&
           (!w->referrer_set || same_text(w->referrer, r->referrer, r->referrer_n));
}

/* Every field of every record; of the three-field decoder what its product can be asked: time and key. Counts the records. */
static bool compare(struct datums *d, struct avro *a)
{
    const struct mesh_input *few = &bench_fold_product.inputs[0];
    for (const uint8_t *p = d->bytes; p < d->bytes + d->n; d->records++) {
        uint32_t n;
        p = next_datum(p, &n);
        struct event_v1 wide = {0};
        _Alignas(16) char record[MESH_RECORD_BYTES_MAX];
        char scratch[64], key[24];
        struct fetched r = {0};
        struct mesh_in in = {p, p + n, MESH_AVRO_OK};
        bench_wide_decode_event_v1(&in, 0, &wide);
        read_avro(a, p, n);
        fetch(a, &r);
        struct mesh_in again = {p, p + n, MESH_AVRO_OK};
        few->decode(&again, 0, record);
        int key_n = snprintf(key, sizeof key, "%lld", (long long)r.user);
        if (in.fault != MESH_AVRO_OK || in.p != in.end || again.fault != MESH_AVRO_OK || again.p != again.end ||
            !same_wide(&wide, &r) || few->event_time(record) != r.ts * 1000 ||
            !same_text(few->key(record, scratch), key, (size_t)key_n))
            return false;
        p += n;
    }
    return true;
}

static void open_avro(struct avro *a, const char *contract)
{
    size_t n;
    char *text = read_file(contract, &n);
    if (avro_schema_from_json_length(text, n, &a->schema) != 0)
        bench_die("decode: avro-c: %s", avro_strerror());
    free(text);
    a->iface = avro_generic_class_from_schema(a->schema);
    if (a->iface == NULL || avro_generic_value_new(a->iface, &a->value) != 0)
        bench_die("decode: avro-c: %s", avro_strerror());
    a->reader = avro_reader_memory("", 0);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static const char *const names[SUBJECTS] = {"wide", "few", "avro", "avro12"};
    static double ns[SUBJECTS][RUNS_MAX];
    if (argc < 3) {
        fprintf(stderr, "usage: decode DATUMS CONTRACT [RUNS]\n");
        return 2;
    }
    int runs = argc > 3 ? atoi(argv[3]) : 9;
    runs = runs < 1 ? 1 : runs > RUNS_MAX ? RUNS_MAX : runs;
    struct datums d = {0};
    struct avro a = {0};
    d.bytes = read_file(argv[1], &d.n);
    open_avro(&a, argv[2]);
    bool equal = compare(&d, &a);
    for (int run = -1; run < runs; run++) {
        for (int s = 0; s < SUBJECTS; s++) {
            double begin_s = thread_s();
            if (s < 2)
                sink += run_ours(&d, s == 0 ? &bench_wide_product.inputs[0] : &bench_fold_product.inputs[0]);
            else
                sink += s == 2 ? run_avro(&d, &a) : run_avro_fetch(&d, &a);
            if (run >= 0)
                ns[s][run] = (thread_s() - begin_s) * 1e9 / (double)d.records;
        }
    }
    printf("{\"records\":%lld,\"runs\":%d,\"equal\":%s", (long long)d.records, runs, equal ? "true" : "false");
    for (int s = 0; s < SUBJECTS; s++) {
        qsort(ns[s], (size_t)runs, sizeof(double), ascending);
        printf(",\"%s\":{\"min_ns\":%.2f,\"median_ns\":%.2f}", names[s], ns[s][0], ns[s][runs / 2]);
    }
    printf("}\n");
    avro_reader_free(a.reader);
    avro_value_decref(&a.value);
    avro_value_iface_decref(a.iface);
    avro_schema_decref(a.schema);
    free(d.bytes);
    return 0;
}
