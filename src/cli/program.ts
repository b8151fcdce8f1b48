import { loadEngine } from './engine.js';
import { runProcess } from './process.js';

await runProcess(loadEngine);
