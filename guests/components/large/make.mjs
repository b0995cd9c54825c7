// Makes the component: node make.mjs HANDLER.js WIT_FOLDER WORLD OUT.wasm (build.sh calls it).
import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [sourcePath, witPath, worldName, out] = process.argv.slice(2);
const { component } = await componentize({ sourcePath, witPath, worldName });
await writeFile(out, component);
