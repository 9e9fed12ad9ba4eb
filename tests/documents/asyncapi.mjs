// asyncapi.mjs NODE_MODULES FILE...: what the parser of the AsyncAPI initiative, with its Avro plugin, has against the documents.
import fs from 'fs';
import { createRequire } from 'module';

const require = createRequire(process.argv[2] + '/');
const { Parser } = require('@asyncapi/parser');
const { AvroSchemaParser } = require('@asyncapi/avro-schema-parser');
const parser = new Parser();
parser.registerSchemaParser(AvroSchemaParser());
let bad = 0;
for (const file of process.argv.slice(3)) {
  const { document, diagnostics } = await parser.parse(fs.readFileSync(file, 'utf8'));
  for (const d of diagnostics.filter((d) => d.severity < 2)) { // errors and warnings; hints are about newer versions
    console.log(`${file}: ${d.path.join('/')}: ${d.message}`);
    bad++;
  }
  if (!document && bad === 0) bad++;
  else if (document && document.allOperations().all().length === 0) { console.log(`${file}: no operation`); bad++; }
}
process.exit(bad ? 1 : 0);
