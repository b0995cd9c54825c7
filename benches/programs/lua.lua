-- The Lua program: nine parts, each returning something that depends on everything it computed. `...` is how often.
local repeats = ...
local results = {}

local seed = 42
local function random(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n
end

local function hash(text)
  local h = 5381
  for i = 1, #text do h = (h * 33 ~ text:byte(i)) & 0xffffffff end
  return h
end

local function queens(n)
  local columns, up, down, count = {}, {}, {}, 0
  local function place(row)
    if row > n then count = count + 1 return end
    for c = 1, n do
      if not (columns[c] or up[row + c] or down[row - c + n]) then
        columns[c], up[row + c], down[row - c + n] = true, true, true
        place(row + 1)
        columns[c], up[row + c], down[row - c + n] = nil, nil, nil
      end
    end
  end
  place(1)
  return count
end

local function trees(depth)
  local function make(d) if d == 0 then return {} end return {make(d - 1), make(d - 1)} end
  local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end
  local kept, total = make(depth), 0
  for d = 4, depth, 3 do
    for _ = 1, 1 << (depth - d) do total = total + count(make(d)) end
  end
  return total + count(kept)
end

local function mandelbrot(size)
  local rows = {}
  for y = 0, size - 1 do
    local row = {}
    for x = 0, size - 1 do
      local cr, ci, zr, zi, n = 2 * x / size - 1.5, 2 * y / size - 1, 0.0, 0.0, 0
      while n < 50 and zr * zr + zi * zi < 4 do
        zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
      end
      row[#row + 1] = string.char(32 + n)
    end
    rows[#rows + 1] = table.concat(row)
  end
  return hash(table.concat(rows, "\n"))
end

local function words(count)
  local list = {}
  for i = 1, count do
    local syllables = {}
    for k = 1, 1 + random(4) do syllables[k] = ("kalomiturasenobi"):sub(1 + 2 * random(8)):sub(1, 2) end
    list[i] = table.concat(syllables)
  end
  local text = table.concat(list, " ")
  local counts, distinct = {}, {}
  for word in text:gmatch("%a+") do
    if not counts[word] then counts[word] = 0 distinct[#distinct + 1] = word end
    counts[word] = counts[word] + 1
  end
  table.sort(distinct, function(a, b)
    if counts[a] ~= counts[b] then return counts[a] > counts[b] end
    return a < b
  end)
  local changed = text:gsub("(%a)(%a*)", function(first, rest) return first:upper() .. rest end)
  return #distinct .. distinct[1] .. hash(changed) .. hash((text:gsub("[aeiou]", {a = "4", e = "3", o = "0"})))
end

local function objects(count)
  local Vector = {}
  Vector.__index = Vector
  Vector.__add = function(a, b) return setmetatable({x = a.x + b.x, y = a.y + b.y}, Vector) end
  function Vector:length2() return self.x * self.x + self.y * self.y end
  local Scaled = setmetatable({}, {__index = Vector})
  Scaled.__index = Scaled
  function Scaled:length2() return 3 * Vector.length2(self) end
  local sum, total = setmetatable({x = 0, y = 0}, Vector), 0
  for i = 1, count do
    local v = setmetatable({x = i % 7, y = -i % 5}, i % 3 == 0 and Scaled or Vector)
    sum, total = sum + v, total + v:length2()
  end
  return sum.x .. "," .. sum.y .. "," .. total
end

local function closures(count)
  local function compose(...)
    local functions = {...}
    return function(x)
      for _, f in ipairs(functions) do x = f(x) end
      return x
    end
  end
  local f = compose(function(x) return x // 3 end, function(x) return x % 1000 end, function(x) return x / 8 end)
  local total = 0
  for i = -count, count do total = total + f(i) end
  return total
end

local function sorting(count)
  local list = {}
  for i = 1, count do list[i] = random(1000000) end
  table.sort(list)
  local names = {}
  for i = 1, count // 4 do names[i] = string.format("%x-%d", random(65536), list[i] % 10) end
  table.sort(names, function(a, b) return a > b end)
  return list[1] .. list[count // 2] .. list[count] .. names[1] .. names[#names]
end

local function fannkuch(n)
  local p, q, s, sign, most, sum = {}, {}, {}, 1, 0, 0
  for i = 1, n do p[i], q[i], s[i] = i, i, i end
  while true do
    local first = p[1]
    if first ~= 1 then
      for i = 2, n do q[i] = p[i] end
      local flips = 1
      while true do
        local last = q[first]
        if last == 1 then
          sum = sum + sign * flips
          if flips > most then most = flips end
          break
        end
        q[first] = first
        if first >= 4 then
          local i, j = 2, first - 1
          repeat q[i], q[j] = q[j], q[i] i, j = i + 1, j - 1 until i >= j
        end
        first, flips = last, flips + 1
      end
    end
    if sign == 1 then
      p[1], p[2], sign = p[2], p[1], -1
    else
      p[2], p[3], sign = p[3], p[2], 1
      for i = 3, n do
        if s[i] ~= 1 then s[i] = s[i] - 1 break end
        if i == n then return sum .. "/" .. most end
        s[i] = i
        local t = p[1]
        for j = 1, i do p[j] = p[j + 1] end
        p[i + 1] = t
      end
    end
  end
end

local function sieve(limit)
  local composite, count = {}, 0
  for i = 2, limit do
    if not composite[i] then
      count = count + 1
      for k = i * i, limit, i do composite[k] = true end
    end
  end
  return count
end

for _ = 1, repeats do
  results[#results + 1] = table.concat({
    queens(8), trees(12), mandelbrot(96), words(8000), objects(60000), closures(40000), sorting(20000), fannkuch(8),
    sieve(150000),
  }, " ")
end
return table.concat(results, "\n")
