"""Right in another way: answers that must get full marks."""

ALTERNATIVES = [
    {
        "name": "log-prob-by-cross-entropy",
        "answer": "log-prob",
        "code": """
def log_prob(x, logits):
    return -F.cross_entropy(logits, x, reduction="none").sum((1, 2, 3))


def bits_per_dim(nats, n_dims):
    return -nats * math.log2(math.e) / n_dims
""",
    },
    {
        "name": "log-prob-by-logsumexp",
        "answer": "log-prob",
        "code": """
def log_prob(x, logits):
    one_hot = F.one_hot(x, logits.shape[1]).movedim(-1, 1)
    chosen = (logits * one_hot).sum(1)
    return (chosen - torch.logsumexp(logits, 1)).sum(dim=(1, 2, 3))


def bits_per_dim(nats, n_dims):
    return torch.stack([-value / (n_dims * torch.log(torch.tensor(2.0))) for value in nats])
""",
    },
    {
        "name": "choose-row-by-row",
        "answer": "choose",
        "code": """
def choose(logits, u, temperature):
    levels = []
    for row, number in zip(torch.softmax(logits / temperature, 1).tolist(), u.tolist()):
        level, end = 0, row[0]
        while number >= end and level < len(row) - 1:
            level += 1
            end += row[level]
        levels.append(level)
    return torch.tensor(levels)
""",
    },
    {
        "name": "choose-by-search",
        "answer": "choose",
        "code": """
def choose(logits, u, temperature):
    ends = torch.softmax(logits.double() / temperature, 1).cumsum(1)
    ends = ends[:, :-1].contiguous()
    return torch.searchsorted(ends, u.double().unsqueeze(1), right=True).squeeze(1)
""",
    },
    {
        "name": "nade-by-cumulated-sums",
        "answer": "nade-log-prob",
        "code": """
def nade_log_prob(x, in_weight, hidden_bias, out_weight, bias):
    terms = x.unsqueeze(2) * in_weight
    before = terms.cumsum(1) - terms
    logits = (torch.sigmoid(hidden_bias + before) * out_weight).sum(2) + bias
    return torch.where(x == 1, F.logsigmoid(logits), F.logsigmoid(-logits)).sum(1)
""",
    },
    {
        "name": "nade-by-sums-formed-anew",
        "answer": "nade-log-prob",
        "code": """
def nade_log_prob(x, in_weight, hidden_bias, out_weight, bias):
    logits = []
    for i in range(x.shape[1]):
        hidden = torch.sigmoid(hidden_bias + x[:, :i] @ in_weight[:i])
        logits.append(bias[i] + hidden @ out_weight[i])
    return -F.binary_cross_entropy_with_logits(torch.stack(logits, 1), x, reduction="none").sum(1)
""",
    },
    {
        "name": "made-by-loops",
        "answer": "made-masks",
        "code": """
def made_masks(place, hidden_degrees):
    layers = [place.tolist(), *hidden_degrees.tolist()]
    masks = []
    for number in range(1, len(layers)):
        masks.append(torch.tensor([[j <= k for j in layers[number - 1]] for k in layers[number]]))
    masks.append(torch.tensor([[j < k for j in layers[-1]] for k in layers[0]]))
    return masks
""",
    },
    {
        "name": "conv1d-as-a-sum-of-shifts",
        "answer": "causal-conv1d",
        "code": """
def causal_conv1d(x, weight, bias, dilation, mask_type):
    batch, channels, length = x.shape
    result = bias.reshape(1, -1, 1).expand(batch, -1, length)
    for k in range(weight.shape[2]):
        shift = (weight.shape[2] - 1 - k) * dilation + (mask_type == "A")
        late = torch.cat([torch.zeros(batch, channels, shift), x], 2)[:, :, :length]
        result = result + weight[:, :, k] @ late
    return result
""",
    },
    {
        "name": "conv1d-by-negative-padding",
        "answer": "causal-conv1d",
        "code": """
def causal_conv1d(x, weight, bias, dilation, mask_type):
    late = int(mask_type == "A")
    before = dilation * (weight.shape[2] - 1) + late
    return F.conv1d(F.pad(x, (before, -late)), weight, bias, dilation=dilation)
""",
    },
    {
        "name": "step-by-conv1d",
        "answer": "conv-step",
        "code": """
def conv_step(x, cache, weight, bias, dilation):
    window = torch.cat([cache, x[:, :, None]], dim=2)
    return F.conv1d(window, weight, bias, dilation=dilation).squeeze(2), window[:, :, 1:]
""",
    },
    {
        "name": "step-by-loop",
        "answer": "conv-step",
        "code": """
def conv_step(x, cache, weight, bias, dilation):
    inputs = [*cache.unbind(2), x]
    output = bias.expand(len(x), -1)
    for k in range(weight.shape[2]):
        output = output + inputs[k * dilation] @ weight[:, :, k].T
    if cache.shape[2] == 0:
        return output, cache
    return output, torch.stack(inputs[1:], 2)
""",
    },
    {
        "name": "sample-into-a-table",
        "answer": "sample",
        "code": """
def sample(step, state, uniforms, temperature):
    drawn = torch.zeros(uniforms.shape, dtype=torch.int64)
    for t in range(uniforms.shape[1]):
        logits, state = step(drawn[:, t - 1] if t > 0 else None, state)
        drawn[:, t] = choose(logits, uniforms[:, t], temperature)
    return drawn
""",
    },
    {
        "name": "sample-by-recursion-with-names",
        "answer": "sample",
        "code": """
def sample(step, state, uniforms, temperature):
    logits, state = step(value=None, state=state)
    columns = [choose(logits, uniforms[:, 0], temperature)]
    for t in range(1, uniforms.shape[1]):
        logits, state = step(value=columns[-1], state=state)
        columns.append(choose(logits, uniforms[:, t], temperature))
    return torch.stack(columns, dim=1)
""",
    },
    {
        "name": "mask-by-places",
        "answer": "causal-mask",
        "code": """
def causal_mask(out_channels, in_channels, kernel_size, mask_type, n_colors):
    n_places = kernel_size * kernel_size
    place = torch.arange(n_places) * n_colors  # of the first colour of each pixel
    source = place.reshape(1, 1, -1) + (torch.arange(in_channels) % n_colors).reshape(1, -1, 1)
    target = n_places // 2 * n_colors + (torch.arange(out_channels) % n_colors).reshape(-1, 1, 1)
    mask = source < target if mask_type == "A" else source <= target
    return mask.reshape(out_channels, in_channels, kernel_size, kernel_size)
""",
    },
    {
        "name": "mask-by-loops",
        "answer": "causal-mask",
        "code": """
def causal_mask(out_channels, in_channels, kernel_size, mask_type, n_colors):
    mask = torch.ones(out_channels, in_channels, kernel_size, kernel_size)
    c = kernel_size // 2
    mask[:, :, c + 1 :] = 0
    mask[:, :, c, c:] = 0
    for o in range(out_channels):
        for i in range(in_channels):
            if i % n_colors < o % n_colors + (mask_type == "B"):
                mask[o, i, c, c] = 1
    return mask
""",
    },
    {
        "name": "leaks-by-jacobian",
        "answer": "find-leaks",
        "code": """
def find_leaks(network, x):
    jacobian = torch.autograd.functional.jacobian(lambda inputs: network(inputs).sum(0), x)  # (D, B, D)
    return (jacobian.abs() > 1e-5).any(1).triu()
""",
    },
    {
        "name": "leaks-by-gradients-of-single-outputs",
        "answer": "find-leaks",
        "code": """
def find_leaks(network, x):
    x = x.clone().requires_grad_()
    outputs = network(x)
    found = torch.zeros(x.shape[1], x.shape[1]).bool()
    for i in range(x.shape[1]):
        (gradient,) = torch.autograd.grad(outputs[:, i].sum(), x, retain_graph=True)
        found[i, i:] = (gradient.abs().amax(0) > 1e-5)[i:]
    return found
""",
    },
    {
        "name": "leaks-in-one-large-batch",
        "answer": "find-leaks",
        "code": """
def find_leaks(network, x):
    n_examples, n_dims = x.shape
    flips = torch.eye(n_dims).unsqueeze(1)
    changed = (x - flips).abs()  # (D, B, D)
    with torch.no_grad():
        moved = network(changed.reshape(-1, n_dims)).reshape(n_dims, n_examples, n_dims) - network(x)
    return (moved.abs() > 1e-5).any(1).T.triu(0)
""",
    },
    {
        "name": "repaired-step-by-step",
        "answer": "repaired",
        "code": """
def repaired(x, w):
    v = look(x, w["first v"], "rows above")
    h = torch.relu(look(x, w["first h"], "left") + look(v, w["first v to h"], "itself"))
    for block in w["blocks"]:
        change = look(v, block["v"], "rows above and own row").relu()
        v = v + change
        from_row, from_above = look(h, block["h"], "left and itself"), F.conv2d(v, block["v to h"])
        h = h + torch.relu(from_row + from_above)
    return F.conv2d(h, w["last"]) + w["bias"]
""",
    },
    {
        "name": "logistic-mirrored",
        "answer": "discretized-logistic",
        "code": """
def discretized_logistic_log_prob(x, mean, log_scale, levels):
    step = 2 / (levels - 1)
    offset = (step * x - 1 - mean) / log_scale.exp()
    width = step / log_scale.exp()
    upper, lower = offset + width / 2, offset - width / 2
    whole = -F.softplus(-upper) - F.softplus(lower) + torch.log1p(-torch.exp(-width))
    result = torch.where(x > 0, whole, -F.softplus(-upper))
    return torch.where(x < levels - 1, result, -F.softplus(lower))
""",
    },
    {
        "name": "logistic-in-float64",
        "answer": "discretized-logistic",
        "code": """
def discretized_logistic_log_prob(x, mean, log_scale, levels):
    mean, log_scale = mean.double(), log_scale.double()
    v = 2 * x.double() / (levels - 1) - 1
    b = (v + 1 / (levels - 1) - mean) / log_scale.exp()
    a = (v - 1 / (levels - 1) - mean) / log_scale.exp()
    log_up, log_down = F.logsigmoid(b), F.logsigmoid(-a)
    inside = log_up + log_down + torch.log(-torch.special.expm1(a - b))
    first, last = x == 0, x == levels - 1
    return (log_up * first + log_down * last + inside * ~(first | last)).float()
""",
    },
]
