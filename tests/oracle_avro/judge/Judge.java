import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import org.apache.avro.Schema;
import org.apache.avro.SchemaCompatibility;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;

/**
 * Java Avro's opinion of the pairs that generate.c wrote: canonical form, fingerprint, compatibility, and what a reader sees of what a
 * writer wrote. Prints what disagrees, and how often the documented differences occurred. Exit 1: something disagrees.
 */
public final class Judge {
    private static int pairs;
    private static int disagreeing;
    private static int compatible;
    private static int read;
    private static int refused;
    private static final Map<String, Integer> known = new TreeMap<>();

    public static void main(String[] args) throws IOException {
        try (BufferedReader in = Files.newBufferedReader(Path.of(args[0]))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                judge(line.split("\t"));
            }
        }
        System.out.printf("# %d pairs, %d compatible, %d data read alike, %d refused by both, %d disagree%n", pairs, compatible, read, refused,
                disagreeing);
        known.forEach((why, n) -> System.out.printf("#   %d times %s%n", n, why));
        System.exit(disagreeing > 0 || compatible == 0 || read == 0 ? 1 : 0);
    }

    private static void judge(String[] field) {
        pairs++;
        Schema writer;
        Schema reader;
        try {
            writer = new Schema.Parser().parse(field[0]);
            reader = new Schema.Parser().parse(field[1]);
        } catch (RuntimeException e) {
            if (e.toString().contains("Schema fields not set yet")) {
                known.merge("Java cannot parse a default of a record within that record", 1, Integer::sum);
            } else {
                disagree(field, "a schema", e.toString());
            }
            return;
        }
        String canonical = SchemaNormalization.toParsingForm(writer);
        if (!canonical.equals(field[2])) {
            disagree(field, "canonical form " + field[2], canonical);
        }
        String fingerprint = String.format("%016x", SchemaNormalization.parsingFingerprint64(writer));
        if (!fingerprint.equals(field[3])) {
            disagree(field, "fingerprint " + field[3], fingerprint);
        }
        SchemaCompatibility.SchemaPairCompatibility verdict = SchemaCompatibility.checkReaderWriterCompatibility(reader, writer);
        boolean fits = verdict.getType() == SchemaCompatibility.SchemaCompatibilityType.COMPATIBLE;
        compatible += fits ? 1 : 0;
        if (fits != field[4].equals("compatible")) {
            disagree(field, field[4], verdict.getResult().getIncompatibilities().toString());
        }
        resolve(field, writer, reader, fits);
    }

    private static void resolve(String[] field, Schema writer, Schema reader, boolean fits) {
        String theirs = null;
        String failure = null;
        try {
            theirs = decode(writer, reader, field[5]);
        } catch (IOException | RuntimeException e) {
            failure = e.toString();
        }
        String result;
        try {
            result = field[6].startsWith("x") ? "reads " + decode(reader, reader, field[6]) : field[6];
        } catch (IOException | RuntimeException e) {
            disagree(field, field[6], "cannot be read with the reader's schema: " + e);
            return;
        }
        if (failure == null && result.equals("reads " + theirs)) {
            read++;
        } else if (failure != null && field[6].startsWith("refused")) {
            refused++;
        } else {
            String why = difference(field, result, theirs, failure, fits);
            if (why == null) {
                disagree(field, result, failure == null ? "reads " + theirs : failure);
            } else {
                known.merge(why, 1, Integer::sum);
            }
        }
    }

    /** Which of the documented differences it is, or null. */
    private static String difference(String[] field, String ours, String theirs, String failure, boolean fits) {
        boolean reads = ours.startsWith("reads");
        if (!reads && failure == null && !fits && field[6].startsWith("refused resolve.")) {
            return "Java reads a datum of a pair that its own check calls incompatible";
        }
        if (field[6].equals("refused avro.utf8") && failure == null && theirs.indexOf(0xfffd) >= 0) {
            return "Java reads bytes that are no UTF-8 as a text with replacement characters";
        }
        if (reads && failure != null && failure.contains("Invalid default for field")) {
            return "Java cannot apply an alias to a default of the writer";
        }
        if (reads && failure != null && failure.contains("Not an array")) {
            return "Java cannot read the default [] of a union";
        }
        String bare = withoutNamespaces(field);
        boolean same = ours.equals(bare) || bare.contains("Invalid default for field");
        return reads && same ? "Java needs the full name where its own check asks for the short one" : null;
    }

    /** What Java reads when all names are short; in these schemas they are unique nevertheless. */
    private static String withoutNamespaces(String[] field) {
        Schema[] schema = new Schema[2];
        for (int i = 0; i < 2; i++) {
            String text = field[i].replaceAll("\"namespace\": \"[a-z.]*\", ", "").replaceAll("\"[a-z.]*\\.(N[0-9]+x*)\"", "\"$1\"");
            schema[i] = new Schema.Parser().parse(text);
        }
        try {
            return "reads " + decode(schema[0], schema[1], field[5]);
        } catch (IOException | RuntimeException e) {
            return e.toString();
        }
    }

    /** As a string: of generic records, whose equality knows nothing of names. */
    private static String decode(Schema writer, Schema reader, String hex) throws IOException {
        byte[] bytes = HexFormat.of().parseHex(hex.substring(1));
        BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(bytes, null);
        Object datum = new GenericDatumReader<>(writer, reader).read(null, decoder);
        if (!decoder.isEnd()) {
            throw new IOException("bytes are left");
        }
        return GenericData.get().toString(datum);
    }

    private static void disagree(String[] field, String ours, String theirs) {
        if (++disagreeing <= 20) {
            System.out.printf("writer %s%nreader %s%n    datum %s%n    here %s%n    Java %s%n", field[0], field[1], field[5], ours, theirs);
        }
    }
}
