// SPDX-License-Identifier: Apache-2.0
// The vendor's own client for JavaScript, unmodified: argv are the base URL, the client secret, the
// refresh token, an option's streamer symbol and the milliseconds a history begins at.
// Prints one JSON object of what it read.
import TastytradeClient, { CandleType, MarketDataSubscriptionType } from "@tastytrade/api";

const [baseUrl, clientSecret, refreshToken, option, fromTime] = process.argv.slice(2);
const client = new TastytradeClient({
  baseUrl,
  accountStreamerUrl: baseUrl.replace("http", "ws"),
  clientSecret,
  refreshToken,
  oauthScopes: ["read", "trade"],
});
const { accountsAndCustomersService: people, balancesAndPositionsService: holdings } = client;
const { instrumentsService: instruments, marketMetricsService: market } = client;

const accounts = await people.getCustomerAccounts();
const number = accounts[0].account["account-number"];
const nested = await instruments.getNestedOptionChain("SPX");
const chains = await instruments.getNestedFutureOptionChains("ES");
const call = chains["option-chains"][0].expirations[0].strikes[0].call;
const lists = await client.watchlistsService.getPublicWatchlists();
const seen = {
  customer: (await people.getCustomerResource()).id,
  accounts: accounts.map((one) => one.account["account-number"]),
  cash: (await holdings.getAccountBalanceValues(number)).map((one) => one["cash-balance"]),
  positions: (await holdings.getPositionsList(number)).map((one) => one.symbol),
  transactions: (await client.transactionsService.getAccountTransactions(number, { "per-page": 7 })).length,
  roots: nested.map((one) => [one["root-symbol"], one.expirations.length]),
  metrics: (await market.getMarketMetrics({ symbols: "SPY,BRK/B" })).map((one) => one.symbol).sort(),
  equities: (await instruments.getEquityDefinitions({ symbol: ["SPY", "BRK/B"] })).map((one) => one.symbol),
  futures: (await instruments.getFutures({ "product-code": ["ES"] })).map((one) => one.symbol),
  future: (await instruments.getSingleFuture("ESU4"))["streamer-symbol"],
  futureOptions: (await instruments.getFutureOptions({ symbol: [call] })).map((one) => one.symbol),
  call,
  coins: (await instruments.getCryptocurrencies(["BTC/USD"])).map((one) => one.symbol),
  coin: (await instruments.getSingleCryptocurrency("ETH/USD")).symbol,
  found: (await client.symbolSearchService.getSymbolData("AA")).map((one) => one.symbol),
  lists: lists.map((one) => one.name),
  quotes: {},
  greeks: {},
  candles: [],
};

const streamer = client.quoteStreamer;
const { Quote, Greeks } = MarketDataSubscriptionType;
streamer.addEventListener((events) => {
  for (const event of events) {
    if (event.eventType === Quote) seen.quotes[event.eventSymbol] = [event.bidPrice, event.askPrice];
    if (event.eventType === Greeks) seen.greeks[event.eventSymbol] = event.delta;
    if (event.eventType === "Candle" && !(event.eventFlags & 2)) seen.candles.push([event.time, event.close]);
    if (event.eventType === "Candle" && event.eventFlags & 0x18) seen.isComplete = true;
  }
  if (!seen.isComplete || Object.keys(seen.quotes).length < 3 || !(option in seen.greeks)) return;
  console.log(JSON.stringify(seen));
  process.exit(0);
});
await streamer.connect();
streamer.subscribe(["SPY", option, seen.future], [Quote]);
streamer.subscribe([option], [Greeks]);
streamer.subscribeCandles("SPY", Number(fromTime), 1, CandleType.Day);
setTimeout(() => {
  console.error(JSON.stringify(seen));
  process.exit(1);
}, 600000);
