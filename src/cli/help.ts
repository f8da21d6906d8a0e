export const helpText = `keyhole VERB …

  forward  --model DIR --text FILE --out OUT.safetensors
           logits, hidden states and a capture of one text
  select   (--capture FILE | --model DIR --text FILE) --method ID --params JSON --out OUT.safetensors [--all-blocks]
           the keys that a method keeps
  sweep    (--capture FILE | --model DIR --text FILE) --methods ID,ID --keep 0.05,0.1,… --out OUT.json
           [--params JSON by id] [--queries START] [--layers 0,1,…]
           recall, output error, density and cost against what is kept
  evaluate --model DIR --tasks ID,ID --tokens 1024,4096 --methods JSON --seeds N --out OUT.json [--first-seed N] [--processes N]
           accuracy of free runs with a 95 % Wilson interval; continues an OUT.json that is there
  record   --out OUT.json
           the default study, as the page shows it before anything is computed

Everywhere: --backend auto|cpu|webgpu, --memory MIB (what may be taken of the device's memory), and --ids-file IDS.json (a JSON
array of token ids) wherever --text stands.
`;
