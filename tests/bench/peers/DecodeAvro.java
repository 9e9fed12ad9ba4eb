import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/** What it costs Java Avro to decode one record: the same bytes and measure as decode.c. One record and one decoder are used again. */
public final class DecodeAvro {
    private static final int WARM = 5; // runs that do not count: the compiler is at work in them
    private static Object kept;

    public static void main(String[] args) throws IOException {
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(args[1])));
        byte[] data = Files.readAllBytes(Path.of(args[0]));
        int runs = args.length > 2 ? Integer.parseInt(args[2]) : 9;
        double[] ns = new double[runs];
        ThreadMXBean clock = ManagementFactory.getThreadMXBean();
        GenericDatumReader<GenericRecord> reader = new GenericDatumReader<>(schema);
        ByteBuffer lengths = ByteBuffer.wrap(data).order(ByteOrder.nativeOrder());
        GenericRecord record = null;
        BinaryDecoder decoder = null;
        long records = 0;
        for (int run = -WARM; run < runs; run++) {
            long begin = clock.getCurrentThreadCpuTime();
            records = 0;
            for (int at = 0; at < data.length; records++) {
                int n = lengths.getInt(at);
                decoder = DecoderFactory.get().binaryDecoder(data, at + 4, n, decoder);
                record = reader.read(record, decoder);
                at += 4 + n;
            }
            kept = record;
            if (run >= 0) {
                ns[run] = (double) (clock.getCurrentThreadCpuTime() - begin) / records;
            }
        }
        Arrays.sort(ns);
        System.out.printf("{\"records\": %d, \"version\": \"%s\", \"min_ns\": %.2f, \"median_ns\": %.2f}%n", records,
                Schema.class.getPackage().getImplementationVersion(), ns[0], ns[runs / 2]);
    }
}
