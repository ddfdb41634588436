-- wrk script: one unique payment per request, and one line "moment latency status succeeded" per answer.
-- The orders are those of loadtests/traffic/orders.py; the moment is CLOCK_MONOTONIC in seconds, shared by all processes.
local ffi = require("ffi")
ffi.cdef([[
    typedef struct { long seconds; long nanoseconds; } mashang_time;
    int clock_gettime(int clock, mashang_time *now);
]])
local CLOCK_MONOTONIC = 1
local CUSTOMERS = 20000
local HEADS = { wechat = "13", alipay = "28", unionpay = "620" }
local BODY = '{"merchant_order_no":"%s","amount":%d,"currency":"CNY","method":"barcode","auth_code":"%s",'
    .. '"description":"latte","store_id":"s-%d","terminal_id":"t-%d",'
    .. '"customer":{"id":"c-%d","ip":"203.0.113.%d","device_id":"d-%d"},"metadata":{"table":"12"}}'

local run = os.getenv("BENCH_RUN")
local wallets = {}
for wallet in os.getenv("BENCH_WALLETS"):gmatch("[^,]+") do
    wallets[#wallets + 1] = wallet
end
local headers = {
    ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"),
    ["Content-Type"] = "application/json",
}
local number = 0
local sent = {}
local now = ffi.new("mashang_time")
local samples

local function monotonic_s()
    ffi.C.clock_gettime(CLOCK_MONOTONIC, now)
    return tonumber(now.seconds) + tonumber(now.nanoseconds) / 1e9
end

function init()
    samples = io.open(os.getenv("BENCH_SAMPLES"), "w")
    samples:setvbuf("full", 65536)
end

function request()
    local order_no = string.format("W%s-%07d", run, number)
    local wallet = wallets[number % #wallets + 1]
    local code = string.format("%s%07d%s00", HEADS[wallet], number, run)
    local customer = number * 7919 % CUSTOMERS
    local body = string.format(BODY, order_no, 100 + number * 37 % 20000, code, customer % 50, customer % 200, customer,
        customer % 250, customer)
    number = number + 1
    sent[order_no] = monotonic_s()
    return wrk.format("POST", nil, headers, body)
end

function response(status, _, body)
    local at = monotonic_s()
    local order_no = body:match('"merchant_order_no":"([^"]+)"')
    local began = order_no and sent[order_no] or at
    if order_no then
        sent[order_no] = nil
    end
    local succeeded = status >= 200 and status < 300 and body:find('"status":"succeeded"', 1, true) ~= nil
    samples:write(string.format("%.6f %.3f %d %d\n", at, (at - began) * 1000, status, succeeded and 1 or 0))
end
