// SPDX-License-Identifier: Apache-2.0
// dxFeed's own client, unmodified: argv are the URL, the token, symbols of quotes, a candle symbol
// and the milliseconds its history begins at. Prints one JSON object once both have come.
const { DXLinkWebSocketClient, DXLinkFeed } = require("@dxfeed/dxlink-api");

const [url, token, quotes, candle, fromTime] = process.argv.slice(2);
const wanted = quotes.split(",");
const seen = { quotes: {}, candles: [], flags: [], states: [], errors: [] };
const client = new DXLinkWebSocketClient();
client.addAuthStateChangeListener((state) => seen.states.push(state));
client.addErrorListener((error) => seen.errors.push(error.message));
client.connect(url);
client.setAuthToken(token);

const ticker = new DXLinkFeed(client, "TICKER");
ticker.configure({
  acceptAggregationPeriod: 0.1,
  acceptDataFormat: "COMPACT",
  acceptEventFields: { Quote: ["eventSymbol", "bidPrice", "askPrice"] },
});
ticker.addEventListener((events) => {
  for (const event of events) seen.quotes[event.eventSymbol] = [event.bidPrice, event.askPrice];
  finish();
});
ticker.addSubscriptions(wanted.map((symbol) => ({ type: "Quote", symbol })));

const history = new DXLinkFeed(client, "HISTORY");
history.configure({
  acceptDataFormat: "COMPACT",
  acceptEventFields: { Candle: ["eventSymbol", "eventFlags", "time", "close"] },
});
history.addEventListener((events) => {
  for (const event of events) {
    seen.flags.push(event.eventFlags);
    if (!(event.eventFlags & 2)) seen.candles.push([event.eventSymbol, event.time, event.close]);
  }
  finish();
});
history.addSubscriptions({ type: "Candle", symbol: candle, fromTime: Number(fromTime) });

function finish() {
  const hasEnd = seen.flags.some((flags) => flags & 0x18);
  if (!hasEnd || Object.keys(seen.quotes).length < wanted.length) return;
  console.log(JSON.stringify(seen));
  process.exit(0);
}
setTimeout(() => {
  console.error(JSON.stringify(seen));
  process.exit(1);
}, 600000);
